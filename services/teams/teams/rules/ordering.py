"""The order in which clients sort names before they hash (teams contract, section 6.2).

It is the root collation of the Unicode algorithm with punctuation not ignored: JavaScript's
``localeCompare``. Names of ASCII alone, nearly all, are compared by a table; as soon as one name of
a list has more, ICU compares the whole list, because keys of the two kinds do not mix. Node.js
carries the same library.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final, TypeVar

T = TypeVar("T")

# Primary weights, lowest first; white space that is not the blank comes before it.
_PRIMARY: Final = (
    "\t\n\v\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz"
)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
# The other control characters weigh nothing.
_IGNORED: Final = bytes(code for code in range(128) if chr(code).lower() not in _PRIMARY)
_WEIGHTS: Final = bytes.maketrans(
    (_PRIMARY + _LETTERS.upper()).encode(),
    bytes(_PRIMARY.index(character.lower()) + 1 for character in _PRIMARY + _LETTERS.upper()),
)
_CASES: Final = bytes(2 if chr(code).isupper() and code < 128 else 1 for code in range(256))

_NORMALIZATION_MODE: Final = 4  # UCOL_NORMALIZATION_MODE
_ON: Final = 17  # UCOL_ON
_UTF_16: Final = "utf-16-le" if sys.byteorder == "little" else "utf-16-be"
_FIRST_CAPACITY: Final = 512


def ordered(items: Iterable[T], name: Callable[[T], str]) -> list[T]:
    """Sort items by name in the client's order.

    Items whose names compare as equal (the same text in two normal forms, or apart in control
    characters only) keep the order they come in, as in the client's stable sort.
    """
    known = list(items)
    names = [name(item) for item in known]
    key = sort_key if all(map(str.isascii, names)) else unicode_key
    keys = [key(each) for each in names]
    return [known[place] for place in sorted(range(len(known)), key=keys.__getitem__)]


def sort_key(name: str) -> bytes:
    """Give the key of a name of ASCII characters; it compares with others of ASCII only."""
    raw = name.encode("ascii")
    return raw.translate(_WEIGHTS, _IGNORED) + b"\0" + raw.translate(_CASES, _IGNORED)


def unicode_key(name: str) -> bytes:
    """Give the key of any name; it compares with others of this function only."""
    return _collator()(name)


def prepare() -> None:
    """Load ICU now, so that no request waits for it."""
    _collator()


@cache
def _collator() -> Callable[[str], bytes]:
    """Open the root collator of the ICU that icu4py carries, once per process (some 25 ms, 8 MiB).

    The package has no Python interface to collation; what it links does, under names that end with
    ICU's version. Canonically equal texts compare as equal, as in every JavaScript engine.
    """
    import icu4py
    from icu4py import messageformat

    library = ctypes.CDLL(messageformat.__file__)
    version = icu4py.icu_version_info[0]
    open_ = library[f"ucol_open_{version}"]
    open_.restype = ctypes.c_void_p
    open_.argtypes = (ctypes.c_char_p, ctypes.POINTER(ctypes.c_int))
    set_attribute = library[f"ucol_setAttribute_{version}"]
    set_attribute.argtypes = (
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_int),
    )
    get_sort_key = library[f"ucol_getSortKey_{version}"]
    get_sort_key.restype = ctypes.c_int32
    get_sort_key.argtypes = (
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int32,
        ctypes.c_char_p,
        ctypes.c_int32,
    )

    status = ctypes.c_int(0)
    collator = open_(b"", ctypes.byref(status))
    set_attribute(collator, _NORMALIZATION_MODE, _ON, ctypes.byref(status))
    if status.value > 0 or not collator:
        raise RuntimeError(f"ICU has no root collation (error {status.value})")

    def key(name: str) -> bytes:
        text = name.encode(_UTF_16, "surrogatepass")
        capacity = _FIRST_CAPACITY
        while True:
            buffer = ctypes.create_string_buffer(capacity)
            size: int = get_sort_key(collator, text, len(text) // 2, buffer, capacity)
            if size <= 0:
                raise RuntimeError("ICU gave no key")
            if size <= capacity:
                return buffer.raw[:size]
            capacity = size

    return key
