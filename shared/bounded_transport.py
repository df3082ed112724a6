"""An HTTP transport for servers that nobody vouches for: what comes before an answer is bounded.

A client reads interim answers (``100 Continue``) until the real one comes, without a limit of its
own. Each costs it more than it costs the server, so a few megabytes of them would occupy the loop
for half a minute, and whoever else waits for the process with it.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httpx

LARGEST_HEAD: Final = 65_536
"""Bytes up to the end of an answer's head, interim answers included."""

_STEP: Final = 4096
"""Bytes that are looked at before others get their turn on the loop."""

_Options = Iterable[
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
]


class BoundedTransport(httpx.AsyncHTTPTransport):
    """HTTP/1.1 without a proxy; an answer's head that is too long is ``httpx.ReadError``.

    Args:
        trust: certificates.
        limits: of connections.
    """

    def __init__(self, trust: ssl.SSLContext, limits: httpx.Limits) -> None:
        super().__init__(verify=trust, trust_env=False, limits=limits)
        # There is no public way in: httpx does not pass the backend on.
        self._pool._network_backend = _Backend(self._pool._network_backend)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See ``httpx.AsyncHTTPTransport``."""
        response = await super().handle_async_request(request)
        stream = response.extensions.get("network_stream")
        if isinstance(stream, _Stream):
            stream.left = None
        return response


# A timeout is a parameter here, because httpcore wants it so.
class _Stream(httpcore.AsyncNetworkStream):
    """A connection that counts what is read between a request and its answer's body.

    Attributes:
        left: bytes that may still come; None within a body.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self.left: int | None = LARGEST_HEAD

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self.left is None:
            return await self._stream.read(max_bytes, timeout)
        if self.left <= 0:
            raise httpcore.ReadError("the head is too long")
        data = await self._stream.read(min(max_bytes, _STEP), timeout)
        self.left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self.left = LARGEST_HEAD
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: _Options | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(
            await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        )

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: _Options | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._backend.connect_unix_socket(path, timeout, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)
