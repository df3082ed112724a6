"""Values that fit a JSON schema, as an API's description has them."""

from __future__ import annotations

from typing import Any, Final

from services.runs.engine.generating.documents import Document
from services.runs.engine.generating.patterns import example_of

_DEEPEST: Final = 6
_MOST_VALUES: Final = 500
_LONGEST: Final = 2_000

_BY_FORMAT: Final = {
    "email": "ada@example.com",
    "uuid": "3f2b1c9e-8d4a-4c6b-9a5e-1f2d3c4b5a69",
    "date": "2030-01-15",
    "date-time": "2030-01-15T10:30:00Z",
    "time": "10:30:00Z",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "password": "Correct-horse-9",
    "byte": "dGVhcG90",
}


class NoExample(Exception):
    """No value can be told to fit."""


def stated(document: Document, holder: Any) -> Any:
    """Give the example that a parameter, a media type or a schema itself states.

    Raises:
        NoExample: it states none.
    """
    found = document.mapping(holder)
    for name in ("example", "x-example"):
        if name in found:
            return found[name]
    examples = found.get("examples")
    if isinstance(examples, dict) and examples:
        first = document.mapping(next(iter(examples.values())))
        if "value" in first:
            return first["value"]
    if isinstance(examples, list) and examples:
        return examples[0]
    if "default" in found:
        return found["default"]
    choices = found.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    if "const" in found:
        return found["const"]
    if "schema" in found:
        return stated(document, found["schema"])
    raise NoExample


class Maker:
    """Makes one value; it takes no more work than a bounded number of schemas."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._left = _MOST_VALUES

    def make(self, schema: Any, depth: int = 0) -> Any:
        """Give a value that fits.

        Raises:
            NoExample: the schema is too deep, too large, or says too little.
        """
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise NoExample
        try:
            return stated(self._document, schema)
        except NoExample:
            pass
        found = self._document.mapping(schema)
        for name in ("oneOf", "anyOf"):
            if isinstance(found.get(name), list) and found[name]:
                return self.make(found[name][0], depth + 1)
        kind = found.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), None)
        if kind == "object" or "properties" in found or "allOf" in found:
            return self._object(found, depth)
        if kind == "array":
            least = found.get("minItems")
            count = 1 if isinstance(least, int) and least > 0 else 0
            return [self.make(found.get("items"), depth + 1) for _ in range(count)]
        return _plain(kind, found)

    def _object(self, found: Any, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        parts = found.get("allOf")
        for part in parts[:20] if isinstance(parts, list) else []:
            inner = self.make(part, depth + 1)
            if isinstance(inner, dict):
                made |= inner
        properties = found.get("properties")
        if not isinstance(properties, dict):
            return made
        required = found.get("required")
        wanted = required if isinstance(required, list) else list(properties)[:10]
        for name in wanted:
            inner = self._document.mapping(properties.get(name)) if isinstance(name, str) else {}
            if isinstance(name, str) and name in properties and not inner.get("readOnly"):
                made[name] = self.make(properties[name], depth + 1)
        return made


def _plain(kind: Any, found: Any) -> Any:
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        least, most = found.get("minimum"), found.get("maximum")
        for limit in (least, most):
            if isinstance(limit, int | float) and not isinstance(limit, bool):
                exclusive = found.get("exclusiveMinimum") is True and limit is least
                return limit + 1 if exclusive else limit
        above = found.get("exclusiveMinimum")
        return above + 1 if isinstance(above, int) and not isinstance(above, bool) else 1
    if kind == "string":
        return _text(found)
    raise NoExample


def _text(found: Any) -> str:
    how = found.get("format")
    if isinstance(how, str) and how in _BY_FORMAT:
        return _BY_FORMAT[how]
    pattern = found.get("pattern")
    if isinstance(pattern, str):
        example = example_of(pattern)
        if example is None:
            raise NoExample
        return example
    least, most = found.get("minLength"), found.get("maxLength")
    length = least if isinstance(least, int) and least > 8 else 8
    length = min(length, most) if isinstance(most, int) and most > 0 else length
    if length > _LONGEST:
        raise NoExample
    return ("teapot-" * (length // 7 + 1))[:length]
