"""Fetching from addresses that somebody else wrote down, without being turned on our own network.

The name is resolved here, each address is asked of the policy, and the connection goes to the
address that was asked about: a name that changes its mind between the two gains nothing. No
redirect is followed, no proxy of the environment is used, no answer is read past its limit.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from pydantic_core import from_json

from shared.targets import Address, TargetPolicy, read_address

TIMEOUT: Final = 5.0
"""Seconds for everything: resolving, connecting, and the last byte of the answer."""

LARGEST: Final = 1_048_576
"""Bytes of an answer."""

MOST_ADDRESSES: Final = 3
"""Addresses of a name that are tried, one after the other."""

MOST_AT_ONCE: Final = 20

_PORTS: Final = {"http": 80, "https": 443}


class FetchFailed(Exception):
    """There was no answer that we take. ``reason`` is for logs, never for a client."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True, repr=False)
class Fetched:
    """An answer: its status, and its JSON object or None where it is none."""

    status: int
    document: dict[str, Any] | None


class Fetcher:
    """A client of other people's servers. Open it with ``opened``."""

    def __init__(self, client: httpx.AsyncClient, policy: TargetPolicy) -> None:
        self._client = client
        self._policy = policy
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, policy: TargetPolicy, trust: ssl.SSLContext | None = None
    ) -> AsyncIterator[Fetcher]:
        """Open the client; it closes with the context.

        Args:
            policy: which addresses may be reached.
            trust: certificates; those of ``SSL_CERT_FILE`` or of Mozilla if absent.
        """
        # A kept connection would be found again by its address alone, whatever name it was made
        # for, and so another name's certificate would do.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(
            verify=trust or httpx.create_ssl_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=TIMEOUT,
            limits=limits,
            headers={"accept": "application/json", "accept-encoding": "identity"},
        ) as client:
            yield cls(client, policy)

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched:
        """Get a JSON document; for what is raised see ``post``."""
        return await self._fetch("GET", url, None, headers or {})

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Fetched:
        """Post a form.

        Raises:
            FetchFailed: the address may not be reached, or gave no whole answer in time.
        """
        return await self._fetch("POST", url, form, headers or {})

    async def _fetch(
        self, method: str, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> Fetched:
        try:
            async with asyncio.timeout(TIMEOUT), self._turns:
                return await self._fetch_in_time(method, httpx.URL(url), form, headers)
        except TimeoutError:
            raise FetchFailed("took too long") from None
        except httpx.InvalidURL:
            raise FetchFailed("not an address") from None
        except httpx.HTTPError as error:
            raise FetchFailed(type(error).__name__) from None

    async def _fetch_in_time(
        self,
        method: str,
        url: httpx.URL,
        form: Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> Fetched:
        port = _port_of(url)
        addresses = await self._resolve(_host_of(url), port)
        for address in addresses[:-1]:
            try:
                return await self._ask(method, url, address, form, headers)
            except httpx.ConnectError:
                continue
        return await self._ask(method, url, addresses[-1], form, headers)

    async def _resolve(self, host: str, port: int) -> list[Address]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
            addresses = [read_address(str(entry[4][0])) for entry in found]
        except (OSError, ValueError):
            raise FetchFailed("name not resolved") from None
        permitted = [each for each in addresses if self._policy.permits(host, port, each)]
        # All or nothing: a public name has no business pointing inside as well.
        if not permitted or len(permitted) < len(addresses):
            raise FetchFailed("address not allowed")
        return permitted[:MOST_ADDRESSES]

    async def _ask(
        self,
        method: str,
        url: httpx.URL,
        address: Address,
        form: Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> Fetched:
        request = self._client.build_request(
            method,
            url.copy_with(host=str(address)),
            data=form,
            headers={**headers, "host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": _host_of(url)},
        )
        response = await self._client.send(request, stream=True)
        try:
            return Fetched(response.status_code, await _document(response))
        finally:
            await response.aclose()


def _host_of(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")


def _port_of(url: httpx.URL) -> int:
    port = url.port if url.port is not None else _PORTS.get(url.scheme, 0)
    if url.scheme not in _PORTS or not url.host or url.userinfo or not 0 < port < 65_536:
        raise FetchFailed("not an address")
    return port


async def _document(response: httpx.Response) -> dict[str, Any] | None:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchFailed("compressed")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST:
            raise FetchFailed("too large")
    try:
        document = from_json(bytes(body), allow_inf_nan=False)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
