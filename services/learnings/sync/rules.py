"""Understanding a push entry by entry (learnings contract, section 6.2).

What can be repaired is: a client resends a batch that is refused, with every row of it, for ever.
Unusable is only an entry that is no object, has no id, or a text that is a list or an object.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from services.learnings.learnings.models import (
    NAME_LIMIT,
    TAG_LIMIT,
    TEXT_LIMIT,
    Content,
    Entry,
    Extra,
    Status,
)
from services.learnings.sync.models import CLIENT_LIMIT, MOST_ENTRIES, Batch
from shared.errors import BadRequest, Fault, Invalid

NO_SUMMARY: Final = "(no summary)"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_STATUSES: Final = frozenset(Status)
_EXTRA: Final = frozenset(Extra.model_fields)
_MOST_NODES: Final = 1000
_MOST_METADATA: Final = 200
_METADATA_LIMIT: Final = 10_000
_BIGGEST: Final = 2**63
_MOST_DIGITS: Final = 400
_MOST_DEPTH: Final = 100
_DEFAULT_IMPACT: Final = 0.5


class Unusable(Exception):
    """An entry that cannot be stored at all."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def parse(raw: bytes) -> Any:
    """Read JSON, also such that strict readers refuse: NaN, halved surrogates, huge numbers.

    One such text among a hundred must not hold up the others.

    Raises:
        BadRequest: it is no JSON.
    """
    try:
        return from_json(raw or b"{}")
    except ValueError:
        try:
            return json.loads(raw, parse_int=_number)
        except (ValueError, RecursionError):
            raise BadRequest("The body is not valid JSON", code="invalid_json") from None


def _number(digits: str) -> float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def read(body: Any, origin_of: Callable[[str], str]) -> Batch:
    """Understand a push.

    Args:
        body: decoded JSON.
        origin_of: names the origin of what a client pushes; the client may be empty.

    Raises:
        Invalid: there is no list of entries, or too many are in it.
    """
    if not isinstance(body, dict):
        raise Invalid.field("body", msg="must be an object", type="dict_type")
    sent = body.get("entries")
    if not isinstance(sent, list):
        raise Invalid.field("body", "entries", msg="must be a list", type="list_type")
    if len(sent) > MOST_ENTRIES:
        message = f"must have at most {MOST_ENTRIES} entries; send them in several pushes"
        raise Invalid.field("body", "entries", msg=message, type="too_long")
    name = body.get("client_id")
    client_id = _clean(name).strip()[:CLIENT_LIMIT] if isinstance(name, str) else ""
    origin = origin_of(client_id)
    entries: list[Entry] = []
    notes: dict[int, str] = {}
    faults: list[Fault] = []
    project = ""
    for index, one in enumerate(sent):
        try:
            entry, note = _entry(one, client_id, origin)
        except Unusable as error:
            loc = ("body", "entries", index, error.field)
            faults.append(Fault(loc, str(error), "unusable_entry"))
            continue
        entries.append(entry)
        project = project or entry.content.metadata.get("origin_project", "")
        if note:
            notes[index] = note
    return Batch(client_id, entries, notes, faults, project)


def _entry(sent: Any, client_id: str, origin: str) -> tuple[Entry, str]:
    if not isinstance(sent, dict):
        raise Unusable("source_learning_id", "the entry must be an object")
    source_id = _source_id(sent.get("source_learning_id"))
    detail = _text(sent.get("detail"), "detail")
    status, note = _status(sent.get("status"))
    kind = sent.get("type")
    content = Content(
        summary=_text(sent.get("summary"), "summary") or detail[:NAME_LIMIT].strip() or NO_SUMMARY,
        detail=detail,
        tags=_tags(sent.get("tags")),
        impact=_impact(sent.get("impact")),
        status=status,
        type=(_clean(kind).strip()[:NAME_LIMIT] if isinstance(kind, str) else "") or "pattern",
        source_project=None,
        origin_project=None,
        client_id=client_id or None,
        vector_clock=_clock(sent.get("vector_clock")),
        metadata=_metadata(sent.get("metadata")),
        sync_hash=_hash(sent.get("sync_hash")),
        extra=_extra(sent),
    )
    client_seq = sent.get("sync_seq")
    if type(client_seq) is not int or not 0 <= client_seq < _BIGGEST:
        client_seq = None
    return Entry(content, origin, source_id, "push", client_seq), note


def _clean(text: str) -> str:
    """Drop what PostgreSQL's text cannot hold."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode(errors="replace").decode()
    return text


def _source_id(value: Any) -> str:
    if type(value) is int and abs(value) < _BIGGEST:
        return str(value)
    if not isinstance(value, str):
        raise Unusable("source_learning_id", "must be a text")
    text = _clean(value).strip()
    if not text:
        raise Unusable("source_learning_id", "must not be blank")
    if len(text) > NAME_LIMIT:
        raise Unusable("source_learning_id", f"must have at most {NAME_LIMIT} characters")
    return text


def _text(value: Any, field: str) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        raise Unusable(field, "must be a text")
    if not isinstance(value, str):
        return _scalar(value)
    return _clean(value[: TEXT_LIMIT + 1]).strip()[:TEXT_LIMIT]


def _scalar(value: float) -> str:
    """Write a number or a truth value as JSON does."""
    return to_json(value, inf_nan_mode="strings").decode().strip('"')[:NAME_LIMIT]


def _status(value: Any) -> tuple[str, str]:
    if isinstance(value, str) and value in _STATUSES:
        return str(value), ""
    if value is None:
        return "active", ""
    return "active", "the status is unknown, stored as active"


def _tags(value: Any) -> list[str]:
    if not isinstance(value, list):
        return []
    words = (_clean(tag).strip()[:NAME_LIMIT] for tag in value if isinstance(tag, str))
    return list(dict.fromkeys(word for word in words if word))[:TAG_LIMIT]


def _impact(value: Any) -> float:
    if isinstance(value, str):
        try:
            value = float(value[:NAME_LIMIT])
        except ValueError:
            return _DEFAULT_IMPACT
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return _DEFAULT_IMPACT
    return float(min(1, max(0, value)))


def _clock(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        return {}
    known = (
        (_clean(node)[:NAME_LIMIT], count)
        for node, count in value.items()
        if type(count) is int and 0 <= count < _BIGGEST
    )
    return dict(list(known)[:_MOST_NODES])


def _metadata(value: Any) -> dict[str, str]:
    """Keep an object, its values as texts; what is null is absent."""
    if not isinstance(value, dict):
        return {}
    texts: dict[str, str] = {}
    for name, one in value.items():
        if one is None:
            continue
        text = one if isinstance(one, str) else to_json(_deeply(one)).decode()
        texts[_clean(name)[:NAME_LIMIT]] = _clean(text[:_METADATA_LIMIT])
        if len(texts) == _MOST_METADATA:
            break
    return texts


def _hash(value: Any) -> str | None:
    return value if isinstance(value, str) and _HASH.fullmatch(value) else None


def _extra(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the optional fields that can be used (section 5.1)."""
    kept = {}
    for name in sent.keys() & _EXTRA:
        try:
            value = getattr(Extra.model_validate({name: _deeply(sent[name])}), name)
        except ValidationError:
            continue
        if value is not None:
            kept[name] = value
    return kept


def _deeply(value: Any, depth: int = 0) -> Any:
    """Clean every text of nested JSON; what it has no number for, or lies too deep, is null."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if not isinstance(value, (list, dict)):
        return value
    if depth == _MOST_DEPTH:
        return None
    if isinstance(value, list):
        return [_deeply(one, depth + 1) for one in value]
    return {_clean(name): _deeply(one, depth + 1) for name, one in value.items()}
