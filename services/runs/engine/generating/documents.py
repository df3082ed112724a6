"""Reading an API's description: JSON or YAML, within bounds that no document can leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml
from pydantic_core import from_json

from services.runs.engine.generating.models import NothingUsable

MOST_EVENTS: Final = 300_000
"""Values and keys of a YAML document, twice counted."""

DEEPEST: Final = 60

MOST_REFERENCES: Final = 20
"""That lead from one to the next."""


def load(text: str) -> Mapping[str, Any]:
    """Read a document.

    Raises:
        NothingUsable: it is neither JSON nor plain YAML, or no mapping.
    """
    try:
        document = from_json(text, allow_inf_nan=False)
    except ValueError:
        document = _load_yaml(text)
    if not isinstance(document, dict):
        raise NothingUsable("the document is no OpenAPI description: it is not a mapping")
    return document


def _load_yaml(text: str) -> Any:
    depth = 0
    try:
        for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                raise NothingUsable("the document has YAML aliases, which are not read")
            opens = isinstance(event, yaml.CollectionStartEvent)
            depth += opens - isinstance(event, yaml.CollectionEndEvent)
            if count > MOST_EVENTS or depth > DEEPEST:
                raise NothingUsable("the document is too large or too deep to be read")
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        raise NothingUsable("the document is neither JSON nor YAML") from None


class Document:
    """A description whose references within itself can be followed; others lead nowhere."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root

    def mapping(self, value: Any) -> Mapping[str, Any]:
        """Give what stands there, or where its ``$ref`` leads; empty if that is no mapping."""
        for _ in range(MOST_REFERENCES):
            if not isinstance(value, dict):
                return {}
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value
            value = self._at(reference)
        return {}

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            return None
        here: Any = self.root
        for part in reference[2:].split("/")[:DEEPEST]:
            name = part.replace("~1", "/").replace("~0", "~")
            here = here.get(name) if isinstance(here, dict) else None
        return here
