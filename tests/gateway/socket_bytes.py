"""The bytes of WebSockets, written as both ends of one write them."""

from __future__ import annotations

import asyncio
import base64
import hashlib

from websockets.frames import Frame, Opcode

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = base64.b64encode(bytes(range(16))).decode()


def accept_for(key: str = KEY) -> str:
    """Give what answers a key, worked out here once more."""
    proof = hashlib.sha1(f"{key}{GUID}".encode(), usedforsecurity=False)
    return base64.b64encode(proof.digest()).decode()


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bool = True) -> bytes:
    """Write a frame."""
    return Frame(Opcode(opcode), payload, fin=fin).serialize(mask=mask)


def handshake(path: str, *lines: str, key: str = KEY) -> bytes:
    """Write a caller's handshake; ``lines`` come on top."""
    head = [
        f"GET {path} HTTP/1.1",
        "host: guildhall.test",
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        f"sec-websocket-key: {key}",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode()


def agreed(*lines: str, accept: str | None = None, start: str = "HTTP/1.1 101 OK") -> bytes:
    """Write a service's answer to a handshake with ``KEY``."""
    head = [
        start,
        "connection: Upgrade",
        "upgrade: websocket",
        f"sec-websocket-accept: {accept_for() if accept is None else accept}",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode()


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read a frame, masked or not; give its opcode and payload."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
    payload = await reader.readexactly(length)
    return first & 0x0F, bytes(byte ^ mask[index & 3] for index, byte in enumerate(payload))
