"""Taking secrets out of a Playwright trace, which records whatever a page showed and sent.

What is text is masked: lines of JSON piece by piece, so that the trace viewer still reads them.
Binary parts that hold a secret's bytes are left out, and so are the pictures of the screencast as
soon as there is any secret, because nothing blurs fields in those.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError

from services.runs.engine.evidence.masking import Masker

LARGEST_PART: Final = 32 * 1_048_576
"""Bytes; a larger part is left out."""

LARGEST: Final = 256 * 1_048_576
"""Bytes of all parts together; what comes after is left out."""

_LINES: Final = (".trace", ".network", ".stacks")
_PICTURES: Final = (".jpeg", ".jpg", ".png", ".webp")
_OURS: Final = frozenset(
    {"type", "callId", "parentId", "pageId", "frameId", "sha1", "beforeSnapshot", "afterSnapshot"}
)


def mask_trace(path: Path, masker: Masker) -> None:
    """Rewrite a trace without secrets; one that cannot be read is deleted. Blocks: use a thread."""
    beside = path.with_name(f"{path.name}.masked")
    try:
        with ZipFile(path) as whole, ZipFile(beside, "w", ZIP_DEFLATED, compresslevel=1) as masked:
            for name, content in _parts(whole, masker):
                masked.writestr(name, content)
    except (BadZipFile, ZlibError, NotImplementedError, EOFError, ValueError, RuntimeError):
        beside.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return
    os.replace(beside, path)


def _parts(whole: ZipFile, masker: Masker) -> Iterator[tuple[str, bytes]]:
    left = LARGEST
    for info in whole.infolist():
        content = _read(whole, info, min(left, LARGEST_PART))
        if content is None or masker.mask(info.filename) != info.filename:
            continue
        left -= len(content)
        masked = _masked(info.filename.lower(), content, masker)
        if masked is not None:
            yield info.filename, masked


def _read(whole: ZipFile, info: ZipInfo, limit: int) -> bytes | None:
    with whole.open(info) as part:
        content = part.read(limit + 1)
    return content if len(content) <= limit else None


def _masked(name: str, content: bytes, masker: Masker) -> bytes | None:
    if not masker.values:
        return content
    if name.endswith(_PICTURES):
        is_frame = name.rpartition("/")[2].startswith("page@")
        return None if is_frame or _holds(content, masker) else content
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None if _holds(content, masker) else content
    if name.endswith(_LINES):
        lines = (_line(line, masker) for line in text.split("\n") if line)
        return "\n".join(line for line in lines if line).encode()
    return masker.mask(text).encode()


def _line(line: str, masker: Masker) -> str:
    """Mask a line of JSON; one that is none, or is too deep, is left out."""
    try:
        whole: Any = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(whole, dict):
        return json.dumps(masker.mask_json(whole, ours=frozenset()))
    masked = {
        key: value
        if key in _OURS and isinstance(value, str)
        else masker.mask_json({key: value}, ours=frozenset()).get(key)
        for key, value in whole.items()
        if masker.mask(key) == key
    }
    return json.dumps(masked)


def _holds(content: bytes, masker: Masker) -> bool:
    encodings = ("utf-8", "utf-16-le", "utf-16-be")
    return any(
        value.encode(encoding, "surrogatepass") in content
        for value in masker.values
        for encoding in encodings
    )
