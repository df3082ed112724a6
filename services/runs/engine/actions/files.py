"""Making the file that a step wants to upload: of its kind and size, the same every time. Pure.

No file of the machine is ever read: what is uploaded is made here.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from typing import Final

from PIL import Image

from services.runs.engine.language.models import FileWish

LARGEST: Final = 25 * 1024 * 1024
"""Bytes of a file that is made."""

MOST_PIXELS: Final = 4_000

_KINDS: Final = {
    "jpeg": "jpg",
    "text": "txt",
    "image": "png",
    "picture": "png",
    "photo": "jpg",
    "markdown": "md",
    "htm": "html",
}
_IMAGES: Final = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "webp": "WEBP", "bmp": "BMP"}
_SIDES: Final = re.compile(r"(\d{1,5})\s*(?:x|×|by)\s*(\d{1,5})", re.IGNORECASE)  # noqa: RUF001
_NAME: Final = re.compile(r"[^\w.() -]+")


class TooLarge(Exception):
    """The file would be larger than we make; ``largest`` is what we do, for people."""


def kind_of(wish: FileWish) -> str:
    """Give the extension of a wished file: as said, by its name, else text."""
    kind = (wish.kind or "").lower().lstrip(".")
    if not kind and wish.name and "." in wish.name:
        kind = wish.name.rpartition(".")[2].lower()
    kind = kind or next((word for word in _KINDS if word in wish.description.lower()), "txt")
    kind = _KINDS.get(kind, kind)
    return kind if re.fullmatch(r"[a-z0-9]{1,10}", kind) else "txt"


def name_of(wish: FileWish, number: int) -> str:
    """Give a plain file name: the wished one without any folder, else one of our own."""
    last = re.split(r"[/\\]", wish.name or "")[-1]
    name = _NAME.sub("_", last).strip(". ")[:100]
    kind = kind_of(wish)
    if not name:
        return f"file-{number}.{kind}"
    return name if "." in name else f"{name}.{kind}"


def make(wish: FileWish) -> bytes:
    """Make a file; of exactly the wished size wherever its format lets it be so small.

    Raises:
        TooLarge: it would be.
    """
    size = wish.size_bytes
    if size is not None and size > LARGEST:
        raise TooLarge(f"Files of at most {LARGEST // (1024 * 1024)} MiB are made for uploads.")
    kind = kind_of(wish)
    if kind in _IMAGES:
        return _image(kind, wish.description, size)
    makers = {"pdf": _pdf, "csv": _csv, "json": _json, "zip": _zip, "docx": _zip, "xlsx": _zip}
    return makers.get(kind, _text)(size)


def _image(kind: str, description: str, size: int | None) -> bytes:
    sides = _SIDES.search(description)
    width, height = (int(sides[1]), int(sides[2])) if sides else (64, 64)
    if sides is None and size is not None and size < 500:
        width = height = 1
    if not 0 < width <= MOST_PIXELS or not 0 < height <= MOST_PIXELS:
        raise TooLarge(f"Pictures of at most {MOST_PIXELS} pixels a side are made for uploads.")
    written = io.BytesIO()
    Image.new("RGB", (width, height), (47, 125, 91)).save(written, _IMAGES[kind])
    content = written.getvalue()
    missing = 0 if size is None else size - len(content)
    if missing <= 0:
        return content
    return _stuffed_png(content, missing) if kind == "png" else content + bytes(missing)


def _stuffed_png(content: bytes, missing: int) -> bytes:
    """Make a PNG larger by a private chunk that readers skip; what is too little goes behind."""
    if missing < 12:
        return content + bytes(missing)
    stuffing = b"pdNg" + bytes(missing - 12)
    chunk = struct.pack(">I", missing - 12) + stuffing + struct.pack(">I", zlib.crc32(stuffing))
    end = content.rindex(b"IEND") - 4
    return content[:end] + chunk + content[end:]


def _pdf(size: int | None) -> bytes:
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
        b" >>",
        b"<< /Length 38 >>\nstream\nBT /F1 18 Tf 20 100 Td (Test) Tj ET   \nendstream",
    )

    def written(stuffing: int) -> bytes:
        body = b"%PDF-1.4\n" + (b"%" + b" " * (stuffing - 2) + b"\n" if stuffing >= 2 else b"")
        places = []
        for number, one in enumerate(objects, 1):
            places.append(len(body))
            body += b"%d 0 obj\n%s\nendobj\n" % (number, one)
        table = b"".join(b"%010d 00000 n \n" % place for place in places)
        head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
        end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        return body + head + table + end % (len(objects) + 1, len(body))

    content = written(0)
    if size is None or size <= len(content):
        return content
    stuffed = written(max(2, size - len(content)))
    # The offset of the table may need a digit more than without the stuffing.
    return written(max(2, 2 * size - len(content) - len(stuffed)))


def _csv(size: int | None) -> bytes:
    content = b"name,email,amount\nAda,ada@example.com,10\nGrace,grace@example.com,20\n"
    row = b"Linus,linus@example.com,30\n"
    if size is None:
        return content
    while len(content) + len(row) <= size:
        content += row * max(1, (size - len(content)) // len(row))
    return content[:size] if size < len(content) else content + b"\n" * (size - len(content))


def _json(size: int | None) -> bytes:
    content = json.dumps({"name": "test", "items": [1, 2, 3]}).encode()
    return content + b" " * max(0, (size or 0) - len(content))


def _zip(size: int | None) -> bytes:
    def written(inner: int) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr(zipfile.ZipInfo("test.txt"), b"a" * inner)
        return made.getvalue()

    smallest = written(0)
    return written(max(4, (size or 0) - len(smallest)))


def _text(size: int | None) -> bytes:
    line = b"This file was made for a test.\n"
    if size is None:
        return line
    return (line * (size // len(line) + 1))[:size]
