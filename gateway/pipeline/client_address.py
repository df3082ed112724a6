"""Who is on the other end: the peer, or what a trusted proxy says of it.

A forwarding header is believed only as far as the proxies that added to it are ours: read from the
right, the first address that is no trusted proxy is the client.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address


class ClientAddresses:
    """Finds client addresses.

    Args:
        proxies: networks whose forwarding headers are believed.
    """

    def __init__(self, proxies: Sequence[_Network] = ()) -> None:
        self._proxies = tuple(proxies)

    def is_trusted(self, address: str) -> bool:
        """Tell whether an address is one of our proxies."""
        return bool(self._proxies) and self._is_proxy(_parse(address))

    def find(self, peer: str, forwarded: Sequence[bytes]) -> str:
        """Give the client's address.

        Args:
            peer: the address at the other end of the connection.
            forwarded: the values of ``X-Forwarded-For``, in order.
        """
        if not self.is_trusted(peer):
            return peer
        client = peer
        hops = b",".join(forwarded).decode("latin-1").split(",")
        for hop in reversed(hops):
            address = _parse(hop.strip())
            if address is None:
                break
            client = str(address)
            if not self._is_proxy(address):
                break
        return client

    def _is_proxy(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self._proxies)


@lru_cache(maxsize=4096)
def _parse(text: str) -> _Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=4096)
def rate_key(address: str) -> str:
    """Give what anonymous requests are counted by: an IPv6 network, since a host has 2^64 of it."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, 64), strict=False).network_address)
    return f"ip:{address}"
