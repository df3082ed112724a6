"""An auth service for benchmarks: every session and key holds. ``python -m bench.stub_auth``.

Reads the port and the base64url seed of the signing key from the command line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import uvloop

from shared.tokens import SigningKey, jwks

_ACTIVE = json.dumps(
    {
        "active": True,
        "role": "member",
        "scopes": ["*"],
        "key_id": "key_1",
        "account_id": "usr_1",
        "org_id": "org_1",
        "expires_at": None,
    }
).encode()


class _Protocol(asyncio.Protocol):
    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            _, found, rest = head.partition(b"content-length: ")
            size = int(rest.split(b"\r\n", 1)[0]) if found else 0
            if len(self._buffer) < end + 4 + size:
                return
            self._buffer = self._buffer[end + 4 + size :]
            body = self._keys if head.startswith(b"get /.well-known") else _ACTIVE
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
            )


async def _serve(port: int, keys: bytes) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(keys), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    key = SigningKey.from_base64url(sys.argv[2])
    uvloop.run(_serve(int(sys.argv[1]), json.dumps(jwks([key.verify_key])).encode()))
