"""Which network addresses the service may reach on somebody's behalf.

An issuer's documents name further addresses, and a name may resolve to anything; so what counts is
the address that is about to be connected to. Addresses that are nobody's on the Internet are open
only where the settings say so, and those where clouds keep their machines' secrets never are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias

from pydantic import Field, field_validator

from shared.settings import Settings

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NEVER: Final[tuple[Network, ...]] = (
    IPv4Network("169.254.0.0/16"),  # link-local, the clouds' metadata among it
    IPv4Network("100.100.100.200/32"),  # metadata at Alibaba
    IPv4Network("192.0.0.192/32"),  # metadata at Oracle
    IPv4Network("168.63.129.16/32"),  # the host agent at Azure
    IPv4Network("0.0.0.0/8"),
    IPv4Network("224.0.0.0/3"),  # multicast, reserved, broadcast
    IPv6Network("fe80::/10"),
    IPv6Network("fd00:ec2::/32"),  # metadata at AWS
    IPv6Network("fd20:ce::/32"),  # metadata at Google
    IPv6Network("ff00::/8"),
    IPv6Network("::/128"),
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """A host, a network, or either with a port, as ``url_allow`` and ``url_deny`` name them."""

    host: str | None
    network: Network | None
    port: int | None

    def covers(self, host: str, port: int, address: Address) -> bool:
        """Tell whether a connection goes there."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return any(_is_in(each, self.network) for each in _faces(address))
        return self.host == normal_host(host)


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """What may be reached.

    Attributes:
        allow_private: whether loopback and private addresses may be.
        allow: opens what ``allow_private`` closes.
        deny: closes, whatever is open otherwise.
    """

    allow_private: bool
    allow: tuple[Target, ...] = ()
    deny: tuple[Target, ...] = ()

    def permits(self, host: str, port: int, address: Address) -> bool:
        """Tell whether a host's address may be connected to.

        Args:
            host: as the URL wrote it.
            port: of the connection.
            address: what the host resolved to.
        """
        faces = tuple(_faces(address))
        if any(_is_in(face, network) for face in faces for network in _NEVER):
            return False
        if any(target.covers(host, port, address) for target in self.deny):
            return False
        if self.allow_private or all(face.is_global for face in faces):
            return True
        return any(target.covers(host, port, address) for target in self.allow)


def read_targets(text: str) -> tuple[Target, ...]:
    """Read ``url_allow`` or ``url_deny``: hosts, networks and either with ``:port``.

    They are separated by spaces or commas; an IPv6 address with a port stands in brackets.

    Raises:
        ValueError: naming each word that is none of these.
    """
    found, bad = [], []
    for word in text.replace(",", " ").split():
        target = _read_target(word)
        if target is None:
            bad.append(word)
        else:
            found.append(target)
    if bad:
        raise ValueError(f"not a host, a network or host:port: {', '.join(bad)}")
    return tuple(found)


def normal_host(host: str) -> str:
    """Give the form by which host names are compared."""
    return host.strip("[]").rstrip(".").lower()


def _read_target(word: str) -> Target | None:
    place, port = word, None
    if not _is_network(word):
        head, colon, tail = word.rpartition(":")
        if colon:
            if not tail.isascii() or not tail.isdigit() or not 0 < int(tail) < 65_536:
                return None
            place, port = head, int(tail)
    place = normal_host(place)
    if _is_network(place):
        return Target(None, ip_network(place, strict=False), port)
    labels = place.split(".")
    if not all(label.replace("-", "").replace("_", "").isalnum() for label in labels):
        return None
    return Target(place, None, port) if place.isascii() else None


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _faces(address: Address) -> Iterator[Address]:
    """Give an address and every IPv4 address that it is another way to write."""
    if isinstance(address, IPv4Address):
        yield address
        return
    mapped = address.ipv4_mapped
    if mapped is not None:
        yield mapped
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield address.teredo[1]
    low = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _NAT64 or (address in _COMPATIBLE and int(low) > 1):
        yield low


def _is_in(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def read_address(text: str) -> Address:
    """Read an address as resolvers give it, without the zone of a link-local one.

    Raises:
        ValueError: it is none.
    """
    return ip_address(text.partition("%")[0])


class TargetSettings(Settings):
    """What a service reads that reaches addresses on somebody's behalf."""

    allow_private_targets: bool | None = Field(
        None,
        description="Whether loopback and private addresses may be reached on somebody's behalf; "
        "1 in development, else 0. Link-local and metadata addresses never are.",
    )
    url_allow: str = Field(
        "",
        description="Hosts, networks (CIDR), or either with :port, that may be reached although "
        "they are private; separated by commas.",
    )
    url_deny: str = Field("", description="Written likewise: what may never be reached.")

    @field_validator("url_allow", "url_deny")
    @classmethod
    def _are_targets(cls, value: str) -> str:
        read_targets(value)
        return value

    def targets(self) -> TargetPolicy:
        """Give the addresses that may be reached on somebody's behalf."""
        private = self.allow_private_targets
        return TargetPolicy(
            self.is_development if private is None else private,
            read_targets(self.url_allow),
            read_targets(self.url_deny),
        )
