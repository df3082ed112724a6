"""HTTP/1.1 as a proxy needs it: heads, and where bodies end (RFC 9112). Bodies are never kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

LARGEST_HEAD: Final = 128 * 1024
CHUNK: Final = 64 * 1024

# Those of one connection only (RFC 9110 section 7.6.1).
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"upgrade",
    }
)


class BadMessage(Exception):
    """Not HTTP as we take it."""


@dataclass(slots=True)
class Head:
    """The first line and the fields of a message."""

    first: bytes
    fields: list[tuple[bytes, bytes]]

    def all(self, name: bytes) -> list[bytes]:
        """Give the values of a field, in order."""
        return [value for key, value in self.fields if key.lower() == name]

    def last(self, name: bytes) -> bytes | None:
        """Give a field's last value."""
        return next((v for k, v in reversed(self.fields) if k.lower() == name), None)

    def has_word(self, name: bytes, word: bytes) -> bool:
        """Tell whether a list field holds a word."""
        return any(word in (w.strip().lower() for w in v.split(b",")) for v in self.all(name))

    @property
    def length(self) -> int | None:
        """The announced length of the body, None where none is.

        Raises:
            BadMessage: it is no number, or several differ.
        """
        values = {v.strip() for line in self.all(b"content-length") for v in line.split(b",")}
        if not values:
            return None
        text = values.pop()
        if values or not text.isdigit() or len(text) > 18:
            raise BadMessage("content-length")
        return int(text)

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks.

        Raises:
            BadMessage: it comes in a coding that is no chunks in the end.
        """
        codings = [w.strip().lower() for v in self.all(b"transfer-encoding") for w in v.split(b",")]
        if codings and codings[-1] != b"chunked":
            raise BadMessage("transfer-encoding")
        return bool(codings)

    def written(self, first: bytes, extra: tuple[tuple[bytes, bytes], ...]) -> bytes:
        """Write the head for the next connection, without the fields of this one."""
        listed = {
            w.strip().lower() for v in self.all(b"connection") for w in v.split(b",") if w.strip()
        }
        dropped = _HOP_BY_HOP | (listed - {b"transfer-encoding", b"content-length", b"host"})
        lines = [first]
        lines += [k + b": " + v for k, v in self.fields if k.lower() not in dropped]
        lines += [k + b": " + v for k, v in extra]
        return b"\r\n".join(lines) + b"\r\n\r\n"


async def read_head(reader: asyncio.StreamReader, seconds: float) -> Head | None:
    """Read a head; None where the peer closed instead of sending one.

    Raises:
        BadMessage: it is none, or too long.
        TimeoutError: it did not come in time.
    """
    try:
        async with asyncio.timeout(seconds):
            block = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise BadMessage("cut off") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BadMessage("too long") from error
    if len(block) > LARGEST_HEAD:
        raise BadMessage("too long")
    lines = block[:-4].split(b"\r\n")
    while lines and not lines[0]:
        lines.pop(0)
    if not lines:
        raise BadMessage("empty")
    if any(bad in line for line in lines for bad in (b"\r", b"\n", b"\0")):
        # Browsers end lines there, too: they would read other fields than we do.
        raise BadMessage("line")
    fields = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise BadMessage("field")
        fields.append((name, value.strip()))
    return Head(lines[0], fields)


async def pass_exactly(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int, seconds: float
) -> None:
    """Pass so many bytes on.

    Raises:
        BadMessage: the peer closed before.
        TimeoutError: nothing came, or nothing was taken, for so many seconds.
    """
    while count:
        async with asyncio.timeout(seconds):
            data = await reader.read(min(CHUNK, count))
            if not data:
                raise BadMessage("cut off")
            count -= len(data)
            writer.write(data)
            await writer.drain()


async def pass_chunks(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    """Pass a chunked body on, up to its end and with its trailers; raises like the other."""
    while True:
        line = await _line(reader, seconds)
        size_text = line.split(b";", 1)[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError as error:
            raise BadMessage("chunk") from error
        if len(size_text) > 15 or size < 0 or not size_text.isalnum():
            raise BadMessage("chunk")
        writer.write(line)
        if size == 0:
            break
        await pass_exactly(reader, writer, size + 2, seconds)
    for _ in range(100):
        line = await _line(reader, seconds)
        writer.write(line)
        if line in (b"\r\n", b"\n"):
            async with asyncio.timeout(seconds):
                await writer.drain()
            return
    raise BadMessage("trailers")


async def pass_all(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> int:
    """Pass everything on until the peer closes; give the number of bytes."""
    total = 0
    while True:
        async with asyncio.timeout(seconds):
            data = await reader.read(CHUNK)
            if not data:
                return total
            total += len(data)
            writer.write(data)
            await writer.drain()


async def _line(reader: asyncio.StreamReader, seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            line = await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise BadMessage("cut off") from error
    if len(line) > 8_192:
        raise BadMessage("chunk")
    return line
