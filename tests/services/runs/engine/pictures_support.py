"""Pictures made for tests."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def png(width: int = 20, height: int = 10, color: str = "white", mode: str = "RGB") -> bytes:
    """A picture of one color."""
    return written(Image.new(mode, (width, height), color))


def written(image: Image.Image) -> bytes:
    """Write a picture as PNG."""
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def dotted(dots: int, width: int = 20, height: int = 10, color: str = "red") -> bytes:
    """A white picture of which so many pixels are not."""
    image = Image.new("RGB", (width, height), "white")
    for number in range(dots):
        image.putpixel((number % width, number // width), (255, 0, 0) if color == "red" else 0)
    return written(image)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claiming(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that says it is so large, whatever it holds."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )
