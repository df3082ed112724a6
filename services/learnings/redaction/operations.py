"""What other resources redact with (learnings contract, section 6.7).

Each function gives back the very same object if nothing had to be taken out, so that ``is`` tells
whether something was; and what it gave stays as it is when it is redacted again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.learnings.redaction import rules

DEEPEST: Final = 32
"""Levels of a JSON value that are kept; what lies deeper becomes null."""

RUN_DIR: Final = "run_dir"


def redact(text: str) -> str:
    """Give the text without addresses, numbers, secrets and absolute paths."""
    return rules.redacted(text)


def mask_secrets(text: str) -> str:
    """Give the text without known secret forms, and else as it was written."""
    return rules.without_secrets(text)


def last_segment(path: str) -> str:
    """Give the last part of a path, such as a run's folder, redacted itself."""
    return rules.redacted(rules.last_segment(path))


def redact_metadata(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Redact the free values of a learning's metadata; what is signed or identifies it stays.

    Kept as they are: ``provenance_*``, ``origin_project``, ``installation_id``, ``pii_types``,
    ``system_canary``, ``source`` and ``sync_hash``.
    """
    clean = {name: _under(name, value, 1) for name, value in metadata.items()}
    return clean if _differs(metadata.values(), clean.values()) else metadata


def redact_json(value: Any) -> Any:
    """Redact every string in a JSON value; the names in it stay."""
    return _redact(value, 0)


def _redact(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return rules.redacted(value)
    if not isinstance(value, dict | list):
        return value
    if depth >= DEEPEST:
        return None
    if isinstance(value, list):
        items = [_redact(item, depth + 1) for item in value]
        return items if _differs(value, items) else value
    fields = {name: _under(name, inner, depth + 1) for name, inner in value.items()}
    return fields if _differs(value.values(), fields.values()) else value


def _under(name: str, value: Any, depth: int) -> Any:
    if not isinstance(value, str):
        return _redact(value, depth)
    if rules.is_kept(name):
        return value
    if name == RUN_DIR:
        return last_segment(value)
    if value and rules.names_a_secret(name):
        return rules.SECRET
    return rules.redacted(value)


def _differs(before: Any, after: Any) -> bool:
    return any(old is not new for old, new in zip(before, after, strict=True))
