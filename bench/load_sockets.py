"""Sockets of the teams service that listen: ``python -m bench.load_sockets PORT TOKENS TOPIC``.

Opens one socket for each line of the file TOKENS, as the machine that it names, and joins TOPIC
(none if it is ``-``). Says ``READY`` and how many stand. Then, for each line of its input, says
``TOLD``, how many have been told of news since, the
milliseconds on the machine's clock when the first and the last were, and how many different hashes
they hold. Ends with its input.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Final, cast

import uvloop

from bench.service import head
from shared.principal import Kind, Principal

NEWS: Final = b"knowledge:updated"
WAIT: Final = 30.0


class Listener(asyncio.Protocol):
    """One socket.

    Attributes:
        ready: done when the socket stands, and has joined if it was to.
        told: when it was told last, in seconds of the machine's clock; 0 if not.
        hash: what it was told.
    """

    def __init__(self, request: bytes, topic: str) -> None:
        self._request = request
        self._topic = topic
        self._data = bytearray()
        self._stands = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.told = 0.0
        self.hash = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        # No isinstance: uvloop's are none of asyncio's own.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read the answer, then frames."""
        self._data += data
        if not self._stands:
            answer, end, rest = bytes(self._data).partition(b"\r\n\r\n")
            if not end:
                return
            if not answer.startswith(b"HTTP/1.1 101"):
                self.ready.set_exception(SystemExit(answer.decode("latin-1")))
                return
            self._stands = True
            self._data = bytearray(rest)
            if self._topic == "-":
                self.ready.set_result(None)
            else:
                self._transport.write(_masked(["1", "1", self._topic, "phx_join", {}]))
        while (message := self._message()) is not None:
            self._hear(message)

    def connection_lost(self, error: Exception | None) -> None:
        """Say so to whoever waits."""
        if not self.ready.done():
            self.ready.set_exception(SystemExit("a socket was closed"))

    def _hear(self, message: bytes) -> None:
        if NEWS in message[:200]:
            self.hash = json.loads(message)[4]["knowledge_hash"]
            self.told = time.monotonic()
        elif b'"phx_reply"' in message and not self.ready.done():
            self.ready.set_result(None)

    def _message(self) -> bytes | None:
        """Take the next whole frame of a server, which is never masked."""
        data = self._data
        if len(data) < 2:
            return None
        length, start = data[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(data) < start:
                return None
            length = int.from_bytes(data[2:start])
        if len(data) < start + length:
            return None
        message = bytes(data[start : start + length])
        del data[: start + length]
        return message


def _masked(message: object) -> bytes:
    text = json.dumps(message).encode()
    assert len(text) < 126
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text  # a mask of zeros changes nothing


def _handshake(token: str) -> bytes:
    machine = Principal(Kind.MACHINE, token)
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    lines = f"{upgrade}sec-websocket-key: {key}\r\n\r\n"
    return head("teams", machine, "GET", "/socket/websocket?vsn=2.0.0") + lines.encode()


async def _run(port: int, tokens: list[str], topic: str) -> None:
    loop = asyncio.get_running_loop()
    listeners: list[Listener] = []
    for token in tokens:
        make = functools.partial(Listener, _handshake(token), topic)
        _, listener = await loop.create_connection(make, "127.0.0.1", port)
        await asyncio.wait_for(listener.ready, WAIT)
        listeners.append(listener)
    _say(f"READY {len(listeners)}")
    while await loop.run_in_executor(None, sys.stdin.readline):
        deadline = time.monotonic() + WAIT
        # An event for each would cost more than looking.
        while not all(one.told for one in listeners) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        told = [one.told for one in listeners if one.told]
        hashes = len({one.hash for one in listeners})
        _say(f"TOLD {len(told)} {min(told) * 1e3:.3f} {max(told) * 1e3:.3f} {hashes}")
        for one in listeners:
            one.told = 0.0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the arguments and listen."""
    _, port, tokens, topic = sys.argv
    uvloop.run(_run(int(port), Path(tokens).read_text().splitlines(), topic))


if __name__ == "__main__":
    main()
