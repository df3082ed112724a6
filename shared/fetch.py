"""Fetching from addresses that somebody else wrote down, without being turned on our own network.

The name is resolved here, each address is asked of the policy, and the connection goes to the
address that was asked about: a name that changes its mind between the two gains nothing. No
redirect is followed, no proxy of the environment is used, no answer is read past its limit.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import httpx
from pydantic_core import from_json

from shared.bounded_transport import BoundedTransport
from shared.targets import Address, TargetPolicy, normal_host, read_address

TIMEOUT: Final = 5.0
"""Seconds for everything: resolving, connecting, and the last byte of the answer."""

LARGEST: Final = 1_048_576
"""Bytes of an answer."""

GLANCE: Final = 65_536
"""Bytes that are read of an answer of which only the status matters."""

MOST_ADDRESSES: Final = 3
"""Addresses of a name that are tried, one after the other."""

MOST_AT_ONCE: Final = 20

_PORTS: Final = {"http": 80, "https": 443}

_FRAMING: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


NOT_ALLOWED: Final = "address not allowed"
NO_ADDRESS: Final = "not an address"
"""Reasons of ``FetchFailed`` for addresses that are not asked at all."""


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


@dataclass(frozen=True, slots=True, repr=False)
class Sent:
    """What was answered to a message: the status, and the beginning of whatever came with it.

    ``retry_after`` is the header of that name as it came, or empty.
    """

    status: int
    beginning: bytes
    retry_after: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Exchanged:
    """What was answered to a request of any kind.

    Attributes:
        status: of the answer.
        content_type: as it was named, or empty.
        body: the answer's bytes, as many as were wanted at most.
        is_whole: whether these are all.
        location: where the answer sends us, or empty; nobody follows by themselves.
        retry_after: the header of that name as it came, or empty.
    """

    status: int
    content_type: str
    body: bytes
    is_whole: bool
    location: str = ""
    retry_after: str = ""


class Fetcher:
    """A client of other people's servers. Open it with ``opened``."""

    def __init__(
        self, client: httpx.AsyncClient, policy: TargetPolicy, most_at_once: int = MOST_AT_ONCE
    ) -> None:
        self._client = client
        self._policy = policy
        self._turns = asyncio.Semaphore(most_at_once)
        # Threads of its own: a name server that does not answer must not hold up the process's
        # other look-ups, of which it can do few at once.
        self._resolvers = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="resolve")

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        policy: TargetPolicy,
        trust: ssl.SSLContext | None = None,
        *,
        most_at_once: int = MOST_AT_ONCE,
    ) -> AsyncIterator[Fetcher]:
        """Open the client; it closes with the context.

        Args:
            policy: which addresses may be reached.
            trust: certificates; those of ``SSL_CERT_FILE`` or of Mozilla if absent.
            most_at_once: requests under way; others wait.
        """
        # A kept connection would be found again by its address alone, whatever name it was made
        # for, and so another name's certificate would do.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(
            transport=BoundedTransport(trust or httpx.create_ssl_context(), limits),
            trust_env=False,
            follow_redirects=False,
            timeout=TIMEOUT,
            headers={"accept": "application/json", "accept-encoding": "identity"},
        ) as client:
            fetcher = cls(client, policy, most_at_once)
            try:
                yield fetcher
            finally:
                fetcher._resolvers.shutdown(wait=False, cancel_futures=True)

    async def check(self, url: str) -> None:
        """Ask the policy about an address that somebody else is going to reach, and leave it alone.

        Raises:
            FetchFailed: it is no address, it may not be reached, or its name is not known.
        """
        with _as_failures():
            async with asyncio.timeout(TIMEOUT), self._turns:
                target = httpx.URL(url)
                await self._resolve(_host_of(target), _port_of(target))

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched:
        """Get a JSON document; for what is raised see ``post``."""
        return await self._fetch(_Request("GET", url, headers or {}))

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Fetched:
        """Post a form.

        Raises:
            FetchFailed: the address may not be reached, or gave no whole answer in time.
        """
        return await self._fetch(_Request("POST", url, headers or {}, form=form))

    async def send(
        self, url: str, content: bytes, headers: Mapping[str, str], seconds: float
    ) -> Sent:
        """Post bytes. The status counts once it is there, however the rest of the answer ends.

        Args:
            url: where to.
            content: the body, sent as it is.
            headers: ``content-type`` among them.
            seconds: for everything.

        Raises:
            FetchFailed: the address may not be reached, or gave no status in time.
        """
        request = _Request("POST", url, headers, content=content, seconds=seconds)
        async with self._answered(request) as (response, deadline):
            beginning = bytearray()
            with suppress(TimeoutError, httpx.HTTPError):
                async with asyncio.timeout_at(deadline):
                    async for chunk in response.aiter_raw():
                        beginning += chunk
                        if len(beginning) >= GLANCE:
                            break
            later = response.headers.get("retry-after", "")
            return Sent(response.status_code, bytes(beginning[:GLANCE]), later)

    async def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        seconds: float,
        most: int,
    ) -> Exchanged:
        """Ask with any method, and read the answer whatever it is, compressed ones aside.

        Args:
            method: in capitals.
            url: whom.
            headers: those that say how the message is framed and to whom it goes are left out.
            content: the body, sent as it is; None for none.
            seconds: for everything.
            most: bytes of the answer that are read.

        Raises:
            FetchFailed: the address may not be reached, or gave no whole answer in time.
        """
        kept = {name: value for name, value in headers.items() if name.lower() not in _FRAMING}
        request = _Request(method, url, kept, content=content, seconds=seconds)
        async with self._answered(request) as (response, deadline):
            with _as_failures():
                async with asyncio.timeout_at(deadline):
                    body = await _bytes(response, most)
            return Exchanged(
                response.status_code,
                response.headers.get("content-type", ""),
                body[:most],
                len(body) <= most,
                response.headers.get("location", ""),
                response.headers.get("retry-after", ""),
            )

    async def _fetch(self, request: _Request) -> Fetched:
        async with self._answered(request) as (response, deadline):
            with _as_failures():
                async with asyncio.timeout_at(deadline):
                    return Fetched(response.status_code, await _document(response))

    @asynccontextmanager
    async def _answered(self, request: _Request) -> AsyncIterator[tuple[httpx.Response, float]]:
        """Give the answer with its body unread, and until when that may be read."""
        deadline = asyncio.get_running_loop().time() + request.seconds
        async with AsyncExitStack() as stack:
            with _as_failures():
                async with asyncio.timeout_at(deadline):
                    await stack.enter_async_context(self._turns)
                    response = await self._answer(request)
                    stack.push_async_callback(response.aclose)
            yield response, deadline

    async def _answer(self, request: _Request) -> httpx.Response:
        url = httpx.URL(request.url)
        port = _port_of(url)
        addresses = await self._resolve(_host_of(url), port)
        for address in addresses[:-1]:
            try:
                return await self._ask(request, url, address)
            except httpx.ConnectError:
                continue
        return await self._ask(request, url, addresses[-1])

    async def _resolve(self, host: str, port: int) -> list[Address]:
        addresses = _written(host)
        if not addresses:
            loop = asyncio.get_running_loop()
            try:
                found = await loop.run_in_executor(self._resolvers, _look_up, host, port)
                addresses = [read_address(str(entry[4][0])) for entry in found]
            except (OSError, ValueError):
                raise FetchFailed("name not resolved") from None
        permitted = [each for each in addresses if self._policy.permits(host, port, each)]
        # All or nothing: a public name has no business pointing inside as well.
        if not permitted or len(permitted) < len(addresses):
            raise FetchFailed(NOT_ALLOWED)
        return permitted[:MOST_ADDRESSES]

    async def _ask(self, request: _Request, url: httpx.URL, address: Address) -> httpx.Response:
        built = self._client.build_request(
            request.method,
            url.copy_with(host=str(address)),
            content=request.content,
            data=request.form,
            headers={**request.headers, "host": url.netloc.decode("ascii")},
            timeout=request.seconds,
            extensions={"sni_hostname": _host_of(url)},
        )
        return await self._client.send(built, stream=True)


@dataclass(frozen=True, slots=True, repr=False)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str] | None = None
    content: bytes | None = None
    seconds: float = TIMEOUT


@contextmanager
def _as_failures() -> Iterator[None]:
    """Turn whatever can go wrong on the way into ``FetchFailed``."""
    try:
        yield
    except TimeoutError:
        raise FetchFailed("took too long") from None
    except (httpx.InvalidURL, UnicodeError):
        raise FetchFailed(NO_ADDRESS) from None
    except httpx.HTTPError as error:
        raise FetchFailed(type(error).__name__) from None


def _look_up(host: str, port: int) -> list[Any]:
    if normal_host(host) == "localhost" or normal_host(host).endswith(".localhost"):
        host = "localhost"  # which is this machine and nothing else (RFC 6761, section 6.3)
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _written(host: str) -> list[Address]:
    """Give the address that a host is by itself, however it is spelt; none for names."""
    name = normal_host(host)
    with suppress(ValueError):
        return [read_address(name)]
    with suppress(OSError):
        # 127.1, 0x7f000001 and what else resolvers take for an address.
        return [read_address(socket.inet_ntoa(socket.inet_aton(name)))]
    return []


def _host_of(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")


def _port_of(url: httpx.URL) -> int:
    port = url.port if url.port is not None else _PORTS.get(url.scheme, 0)
    if url.scheme not in _PORTS or not url.host or url.userinfo or not 0 < port < 65_536:
        raise FetchFailed(NO_ADDRESS)
    return port


async def _document(response: httpx.Response) -> dict[str, Any] | None:
    body = await _bytes(response, LARGEST)
    if len(body) > LARGEST:
        raise FetchFailed("too large")
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


async def _bytes(response: httpx.Response, most: int) -> bytes:
    """Read a body; what is longer than ``most`` ends somewhere behind that."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchFailed("compressed")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > most:
            break
    return bytes(body)
