"""Taking secrets out of whatever leaves the engine, by value (contract 4.1).

A value is looked for as it is and as a page, an address, a log line or a header would write it:
percent-encoded, as a form sends it, escaped for HTML or JSON, in base64 (also inside a longer one,
such as Basic credentials), in hexadecimal, in other capitals, with its spaces collapsed. What mixes
these, turns it round or puts a character between each two of its letters is noticed by undoing
that, and then the whole text goes.

Cut texts after masking, never before: a secret cut in two is not found. Cost is linear in the text.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

MASK: Final = "••••"

SHORTEST: Final = 4
"""Characters of a value that is looked for everywhere; a shorter one only in its own step."""

LONGEST: Final = 65_536
"""Characters of a value that are looked for; what is longer is found by its beginning."""

DEPTH: Final = 200
"""Levels of JSON that are looked through; what lies deeper is left out."""

STRUCTURAL: Final = frozenset(
    {"kind", "tool", "source", "verdict", "status", "ts", "run_id", "suite_id", "file", "id"}
    | {"case_id", "step_id", "shard", "path", "trace", "fingerprint", "provider", "started_at"}
    | {"finished_at", "tags", "created", "category", "ref"}
)
"""Keys of events and reports whose words are ours, or names that the author gave."""

_FREE: Final[Mapping[str, frozenset[str]]] = {
    "captures": frozenset(),
    "check": frozenset({"kind"}),
    "suggested_check": frozenset({"kind"}),
    "before": frozenset(),
    "after": frozenset(),
}
"""Keys below which an author or a page chooses the keys, and which of those stay as they are."""

_TURNED: Final = 6
"""Characters of a value that is looked for backwards and spread out, too."""

_LAYERS: Final = 3
_SHORT_TEXT: Final = 2_000
_OVERLAPPING: Final = 256
_BASE64_INNER: Final = 6
# Of addresses, HTML, and JSON or scripts; what one of them left in front of another's stays for the
# next layer.
_ESCAPE: Final = re.compile(
    r"(?:%[0-9A-Fa-f]{2})+"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?"
    r"|(?:\\u[0-9A-Fa-f]{4})+|\\x[0-9A-Fa-f]{2}|\\[\"'\\/bfnrt]"
)
# Seen by no reader, between any letters.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u2060-\u2064\ufe0e\ufe0f\ufeff]+"
)
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class Masker:
    """Knows the secrets of a run, and learns further ones as it goes on.

    Args:
        values: the secrets.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: dict[str, None] = {}
        self._forms: dict[str, bool] = {}
        self._plains: set[str] = set()
        self._heads: set[str] = set()
        for value in values:
            self.add(value)

    def __repr__(self) -> str:
        """Say nothing about the values."""
        return f"Masker({len(self._values)} values)"

    def add(self, value: str) -> None:
        """Look for a value from now on; one that is too short is left to ``also``."""
        value = value[:LONGEST]
        if len(value.strip()) < SHORTEST or value in self._values or not value.strip("•"):
            return
        self._values[value] = None
        self._plains |= _plains_of(value)
        found = {**self._forms, **{form: _overlaps(form) for form in _forms_of(value)}}
        self._forms = dict(sorted(found.items(), key=lambda item: -len(item[0])))
        self._heads = {form[:SHORTEST] for form in self._forms}

    def mask(self, text: str, also: Collection[str] = (), limit: int | None = None) -> str:
        """Give the text with ``••••`` where a secret stood.

        Args:
            text: any.
            also: further values, for this text alone, however short.
            limit: characters of the result at most; the rest becomes ``…``.
        """
        forms, plains = self._forms, self._plains
        if also:
            forms = {**forms, **{f: _overlaps(f) for one in also if one for f in _forms_of(one)}}
            plains = plains.union(*(_plains_of(one) for one in also if one))
        if forms and text:
            if also or len(text) > _SHORT_TEXT or self._may_hold(text):
                text = _without(text, forms)
            if _hides(text, plains):
                text = MASK
        if limit is not None and len(text) > limit:
            text = text[: max(0, limit - 1)] + "…"
        return text

    def _may_hold(self, text: str) -> bool:
        """Look for how forms begin, all at once: most texts hold none, and secrets may be many."""
        last = len(text) - SHORTEST + 1
        return not self._heads.isdisjoint([text[at : at + SHORTEST] for at in range(last)])

    @property
    def values(self) -> tuple[str, ...]:
        """The secrets that are looked for everywhere."""
        return tuple(self._values)

    def mask_json(
        self, value: Any, also: Collection[str] = (), ours: frozenset[str] = STRUCTURAL
    ) -> Any:
        """Give the same JSON with every text masked, keys too; our own words stay as they are.

        Args:
            value: what JSON may hold; what lies deeper than ``DEPTH`` becomes None.
            also: further values, for this one alone.
            ours: keys whose plain values are our own words.
        """
        return self._json(value, also, ours, 0)

    def _json(self, value: Any, also: Collection[str], ours: frozenset[str], depth: int) -> Any:
        if isinstance(value, str):
            return self.mask(value, also)
        if depth > DEPTH:
            return None
        if isinstance(value, Mapping):
            return {
                self.mask(str(key), also): item
                if key in ours and _is_plain(item)
                else self._json(item, also, _FREE.get(key, ours), depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._json(item, also, ours, depth + 1) for item in value]
        return value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(item, str) for item in value)
    return not isinstance(value, Mapping)


def _without(text: str, forms: Mapping[str, bool]) -> str:
    """Replace every appearance; those that overlap go together, so that no end is left over."""
    spans: list[tuple[int, int]] = []
    for form, overlaps in forms.items():
        at = text.find(form)
        while at >= 0:
            spans.append((at, at + len(form)))
            at = text.find(form, at + (1 if overlaps else len(form)))
    if not spans:
        return text
    parts: list[str] = []
    done = 0
    for start, end in _merged(spans):
        parts += text[done:start], MASK
        done = end
    return "".join((*parts, text[done:]))


def _merged(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    spans.sort()
    start, end = spans[0]
    for first, last in spans:
        if first > end:
            yield start, end
            start, end = first, last
        end = max(end, last)
    yield start, end


def _overlaps(form: str) -> bool:
    """Tell whether two appearances may share characters; long ones are taken one by one."""
    return len(form) <= _OVERLAPPING and any(
        form.startswith(form[at:]) for at in range(1, len(form))
    )


def _hides(text: str, plains: Collection[str]) -> bool:
    """Tell whether a value comes out when the encodings of a text are undone, layer by layer."""
    longer = [plain for plain in plains if len(plain) >= _TURNED]
    for layer in _layers(text):
        if layer is not text and any(plain in layer.casefold() for plain in plains):
            return True
        if "+" in layer:
            spaced = layer.replace("+", " ").casefold()
            if any(plain in spaced for plain in plains):
                return True
        for turned in _turned(layer.casefold()) if longer else ():
            # No generator: this is the way of every text.
            for plain in longer:
                if plain in turned:
                    return True
    return False


def _turned(text: str) -> Iterator[str]:
    """Give a text backwards, and without what may stand between each two letters of a word."""
    yield text[::-1]
    yield text[::2]
    yield text[1::2]
    if not text.isascii() and _INVISIBLE.search(text):
        yield _INVISIBLE.sub("", text)


def _layers(text: str) -> Iterator[str]:
    """Give a text, and what is left of it as its encodings are undone one after the other."""
    yield text
    for _ in range(_LAYERS):
        plain = _ESCAPE.sub(_unescaped, text)
        if plain == text:
            return
        yield plain
        text = plain


def _plains_of(value: str) -> set[str]:
    """Give what is left of a value, which may look like an escape itself, in the same way."""
    found = {one.casefold() for layer in _layers(value) for one in (layer, layer.replace("+", " "))}
    return {plain for plain in found if len(plain) >= min(SHORTEST, len(value))}


def _unescaped(match: re.Match[str]) -> str:
    escape = match[0]
    if escape[0] == "%":
        return unquote(escape)
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[1] == "u":
        units = bytes.fromhex(escape.replace("\\u", ""))
        return units.decode("utf-16-be", "surrogatepass" if len(units) == 2 else "replace")
    if escape[1] == "x":
        return chr(int(escape[2:], 16))
    return _CONTROLS.get(escape[1], escape[1])


_ENCODINGS: Final[tuple[Callable[[str], str], ...]] = (
    str,
    str.upper,
    str.lower,
    str.capitalize,
    str.strip,
    lambda text: " ".join(text.split()),
    lambda text: _percent(text, ""),
    lambda text: _percent(text, "!~*'()"),
    lambda text: _percent(text, "!$&'()*+,;=:@/?~"),
    lambda text: _percent(text, " *-._").replace("~", "%7E").replace(" ", "+"),
    lambda text: html.escape(text, quote=True),
    lambda text: html.escape(text, quote=False),
    lambda text: html.escape(text, quote=True).replace("&#x27;", "&#39;"),
    lambda text: html.escape(text, quote=False).replace('"', "&quot;"),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    lambda text: repr(text)[1:-1],
    lambda text: _bytes(text).hex(),
    lambda text: _bytes(text).hex().upper(),
)


def _forms_of(value: str) -> set[str]:
    forms = {encode(value) for encode in _ENCODINGS}
    forms |= {re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in forms}
    if len(value) >= SHORTEST:
        forms |= set(_base64_of(_bytes(value)))
    # What an encoding makes of a value may be shorter than it, and then be found by chance.
    return {form for form in forms if len(form) >= min(SHORTEST, len(value))}


def _base64_of(value: bytes) -> Iterator[str]:
    """Give what the base64 of any text around the value has in common, for its three positions."""
    whole = base64.b64encode(value).decode().rstrip("=")
    plain = [whole]
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value).decode()
        # Characters that hold bits of what stands before or after are not the value's alone.
        first = (before * 8 + 5) // 6
        last = (before + len(value)) * 8 // 6
        if last - first >= _BASE64_INNER:
            plain.append(encoded[first:last])
    for form in plain:
        yield form
        yield form.replace("+", "-").replace("/", "_")


def _percent(text: str, safe: str) -> str:
    return quote(_bytes(text), safe=safe)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
