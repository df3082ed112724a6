"""Files that a step wants to upload: "a 1 KB PNG", `"a.png"`, `a CSV file named "users.csv"`."""

from __future__ import annotations

from services.runs.engine.language.heads import strip_determiners
from services.runs.engine.language.models import FileWish
from services.runs.engine.language.tokens import Phrase

_KINDS = {
    "png": "png",
    "jpg": "jpg",
    "jpeg": "jpg",
    "gif": "gif",
    "webp": "webp",
    "svg": "svg",
    "pdf": "pdf",
    "csv": "csv",
    "txt": "txt",
    "json": "json",
    "xml": "xml",
    "html": "html",
    "zip": "zip",
    "xlsx": "xlsx",
    "docx": "docx",
    "mp3": "mp3",
    "mp4": "mp4",
    "md": "md",
    "image": "png",
    "picture": "png",
    "photo": "png",
    "text": "txt",
    "file": None,
    "document": None,
}
_UNITS = {"b": 1, "byte": 1, "bytes": 1, "kb": 1024, "kib": 1024, "mb": 1024**2, "mib": 1024**2}
_MOST_BYTES = 1024**3
_NAMED = frozenset({"named", "called", "file", "the", "a", "with", "name"})


def read_file(phrase: Phrase) -> FileWish | None:
    """Read the description of a file; None when a word of it is not understood."""
    described = phrase
    phrase = strip_determiners(phrase)
    name: str | None = None
    kind: str | None = None
    size: int | None = None
    index = 0
    known = False
    while index < len(phrase):
        token = phrase[index]
        measured = _size(phrase, index) if size is None else None
        if token.literal or _is_file_name(token.word):
            if name is not None:
                return None
            name, known = token.text.strip(), True
        elif measured is not None:
            size, length = measured
            index += length - 1
        elif token.word in _KINDS:
            kind, known = _KINDS[token.word] or kind, True
        elif token.word not in _NAMED:
            return None
        index += 1
    if not known or name == "":
        return None
    if kind is None and name is not None:
        ending = name.rpartition(".")[2].lower() if "." in name else ""
        kind = _KINDS.get(ending) or (ending if ending.isascii() and ending.isalnum() else None)
    return FileWish(described.text, name, kind or None, size)


def _is_file_name(word: str) -> bool:
    stem, _, ending = word.rpartition(".")
    return bool(stem) and _KINDS.get(ending) is not None


def _size(phrase: Phrase, index: int) -> tuple[int, int] | None:
    """A size that begins here, in bytes, and how many tokens say it."""
    word = phrase.word(index)
    digits = word.rstrip("abcdefghijklmnopqrstuvwxyz").rstrip("-")
    unit, length = word[len(digits) :].lstrip("-"), 1
    if not unit:
        unit, length = phrase.word(index + 1), 2
    if unit not in _UNITS or len(digits) > 12:
        return None
    try:
        amount = float(digits)
    except ValueError:
        return None
    size = amount * _UNITS[unit]
    return (int(size), length) if 0 <= size <= _MOST_BYTES else None
