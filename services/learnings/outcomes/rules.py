"""Reading outcomes tolerantly, and what they say of learnings (learnings contract, section 6.3).

A client resends a refused batch for ever, so only a body that is no batch at all is refused; what
is wrong in an element is left out, and an element that is none is listed.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any, Final

from pydantic_core import from_json

from services.learnings.outcomes.models import Batch, Read, RejectedOutcome
from services.learnings.redaction.operations import redact, redact_json
from shared.errors import BadRequest, Invalid, TooLarge

MOST: Final = 1000
"""Outcomes of one request; clients send a hundred."""

MOST_IDS: Final = 1000
TEXT_LIMIT: Final = 200
DATA_LIMIT: Final = 20_000
"""Characters of an outcome's propensity data; more is not kept."""

PULLED: Final = "team-sync-"
"""How a client's id of a learning begins that it pulled."""

_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LARGEST: Final = 2**63
_MOST_DIGITS: Final = 400


def read(raw: bytes) -> Batch:
    """Read a request body.

    Raises:
        BadRequest: it is not JSON.
        Invalid: it is no object with a list of outcomes.
        TooLarge: the list is longer than ``MOST``.
    """
    body = _decoded(raw)
    elements = body.get("outcomes") if isinstance(body, dict) else None
    if not isinstance(elements, list):
        raise Invalid.field("body", "outcomes", msg="must be a list", type="list_type")
    if len(elements) > MOST:
        raise TooLarge(f"A request may have at most {MOST} outcomes")
    batch = Batch(_text(body.get("client_id")), count=len(elements))
    for index, element in enumerate(elements):
        reason = _reason(element)
        if reason:
            batch.rejected.append(RejectedOutcome(index=index, reason=reason))
            continue
        outcome = _outcome(element, batch.client_id)
        batch.outcomes.setdefault(outcome.key, outcome)
    return batch


def _decoded(raw: bytes) -> Any:
    try:
        return from_json(raw)
    except ValueError:
        pass
    try:
        # Only this one reads half characters, of paths that are no UTF-8, and endless numbers.
        return json.loads(raw, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        reason = "it is too deep" if isinstance(error, RecursionError) else str(error)[:200]
        raise BadRequest(f"The body is not valid JSON: {reason}", code="invalid_json") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float("inf")


def _reason(element: Any) -> str:
    if not isinstance(element, dict):
        return "is not an object"
    ids = element.get("learning_ids")
    if ids is not None and not isinstance(ids, list):
        return "learning_ids is not a list"
    return ""


def _outcome(element: dict[str, Any], client_id: str) -> Read:
    ids = (_text(one) for one in (element.get("learning_ids") or ())[: MOST_IDS * 2])
    outcome = Read(
        key="",
        session_id=_text(element.get("session_id")),
        learning_ids=list(dict.fromkeys(one for one in ids if one))[:MOST_IDS],
        build_passed=_flag(element.get("build_passed")),
        rework_rate=_rate(element.get("rework_rate")),
        tasks_completed=_count(element.get("tasks_completed")),
        files_changed=_count(element.get("files_changed")),
        propensity_data=_data(element.get("propensity_data")),
    )
    key = element.get("idempotency_key")
    if isinstance(key, str) and _KEY.fullmatch(key):
        outcome.key = key.lower()
    else:
        outcome.key = _own_key(outcome, client_id)
    return outcome


def _own_key(outcome: Read, client_id: str) -> str:
    said = [
        client_id,
        outcome.session_id,
        sorted(outcome.learning_ids),
        outcome.build_passed,
        outcome.rework_rate,
        outcome.tasks_completed,
        outcome.files_changed,
        outcome.propensity_data,
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _whole(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text.replace("\x00", ""))


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
        value = str(value)
    return redact(_whole(value[:TEXT_LIMIT])).strip() if isinstance(value, str) else ""


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _rate(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        rate = float(value)
    except OverflowError:
        return None
    return rate if math.isfinite(rate) and rate >= 0 else None


def _count(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _LARGEST else None


def _data(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    clean: dict[str, Any] = redact_json(_storable(value, 0))
    return clean if len(json.dumps(clean)) <= DATA_LIMIT else {}


def _storable(value: Any, depth: int) -> Any:
    """Leave out what PostgreSQL's jsonb cannot hold, and what is nested beyond reason."""
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) < _LARGEST else None
    if depth >= 16:
        return None
    if isinstance(value, list):
        return [_storable(inner, depth + 1) for inner in value]
    if isinstance(value, dict):
        return {_whole(name): _storable(inner, depth + 1) for name, inner in value.items()}
    return value


BUILD_WEIGHT: Final = 0.5
REWORK_WEIGHT: Final = 0.3
TASKS_WEIGHT: Final = 0.2

FULL: Final = 5
"""Learnings that may share in one outcome with its full weight each."""

PRIOR: Final = 2.0
"""Evidence that a learning starts with, for and against it alike."""


def weigh(outcome: Read) -> tuple[float, float]:
    """Tell how much an outcome counts for and against each learning that was used in it.

    Each sign that is there adds its weight, so that the two make 1 at most: a build that passed
    (0.5), work that was not done again (0.3, shared out by the rate), tasks that were completed
    (0.2). Where more than five learnings were used, each has its part of five. A run whose ids
    were not noted at its time (``legacy_no_ids``) tells nothing.
    """
    if not outcome.learning_ids or outcome.propensity_data.get("legacy_no_ids") is True:
        return 0.0, 0.0
    signs = []
    if outcome.build_passed is not None:
        signs.append((BUILD_WEIGHT, float(outcome.build_passed)))
    if outcome.rework_rate is not None:
        signs.append((REWORK_WEIGHT, 1.0 - min(outcome.rework_rate, 1.0)))
    if outcome.tasks_completed is not None:
        signs.append((TASKS_WEIGHT, float(outcome.tasks_completed > 0)))
    part = min(1.0, FULL / len(outcome.learning_ids))
    helped = sum(weight * good for weight, good in signs)
    not_helped = sum(weight * (1.0 - good) for weight, good in signs)
    return helped * part, not_helped * part


def share(helped: float, not_helped: float) -> float:
    """Give the part of the evidence that is for a learning, smoothed: one outcome moves little."""
    return (helped + PRIOR) / (helped + not_helped + 2 * PRIOR)
