"""What a run says while it goes on (contract 8.1).

Each function makes one kind of event, without ``seq`` and ``ts``; ``Events`` puts those on, and
masks. Clients ignore kinds that they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from services.runs.engine.evidence.masking import Masker
from services.runs.engine.evidence.models import (
    ActionReport,
    AssertionReport,
    CandidateReport,
    Environment,
    Json,
    Shot,
    Summary,
)

LONGEST_TEXT: Final = 4_000
"""Characters of one text in an event; the report has the rest."""


def now() -> str:
    """Give the time as ISO-8601 in UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_start(suite: str, cases: Sequence[str], env: Environment, attempt: int = 1) -> Json:
    """A run begins; ``cases`` are the ids of those chosen, in order."""
    plain: Json = {"kind": "run_start", "suite": suite, "cases": list(cases)}
    return plain | {"env": env.as_json(), "attempt": attempt}


def case_start(title: str, attempt: int = 1) -> Json:
    """A case begins."""
    return {"kind": "case_start", "title": title, "attempt": attempt}


def step_start(do: str) -> Json:
    """A step begins; ``do`` is its text, masked."""
    return {"kind": "step_start", "do": do}


def action(done: ActionReport) -> Json:
    """Something was done to the page."""
    return {"kind": "action", **done.as_json()}


def shot(taken: Shot) -> Json:
    """A screenshot was taken; its file is there already."""
    return {"kind": "shot", "label": taken.label, "note": taken.note, "path": taken.path}


def step_end(
    status: str,
    duration_ms: int,
    error: str | None = None,
    candidates: Sequence[CandidateReport] = (),
) -> Json:
    """A step has ended: the fields of its report, without its actions."""
    plain: Json = {"kind": "step_end", "status": status, "duration_ms": duration_ms, "error": error}
    if candidates:
        plain["candidates"] = [one.as_json() for one in candidates]
    return plain


def assertion(judged: AssertionReport) -> Json:
    """An expectation was judged: the fields of its report."""
    return {"kind": "assertion", **judged.as_json()}


def healed(before: Json, after: Json, score: float, confidence: float) -> Json:
    """A step found its element in another shape than the last time (contract 10)."""
    plain: Json = {"kind": "healed", "before": before, "after": after}
    return plain | {"score": score, "confidence": confidence}


def case_end(verdict: str, duration_ms: int, reason: str | None = None, **more: Any) -> Json:
    """A case has ended; ``more``: ``flaky``, ``attempt``."""
    plain: Json = {"kind": "case_end", "verdict": verdict, "duration_ms": duration_ms}
    return plain | {"reason": reason} | more


def log(message: str, level: str = "info") -> Json:
    """Something for people to know; level ``info`` or ``warning``."""
    return {"kind": "log", "level": level, "message": message}


def error(message: str, reason: str) -> Json:
    """Something went wrong beyond a step; ``reason`` is a machine word."""
    return {"kind": "error", "reason": reason, "message": message}


def done(status: str, summary: Summary, reason: str | None = None) -> Json:
    """The run has ended; the last event of every run."""
    plain: Json = {"kind": "done", "status": status, "summary": summary.as_json()}
    return plain if reason is None else plain | {"reason": reason}


class Events:
    """Completes events: masks them, says when, and counts them if asked.

    Args:
        masker: knows the secrets.
        is_counting: whether ``seq`` is put on, from 1 without gaps; else their keeper does.
        clock: gives the time.
    """

    def __init__(
        self, masker: Masker, *, is_counting: bool = False, clock: Callable[[], str] = now
    ) -> None:
        self._masker = masker
        self._is_counting = is_counting
        self._clock = clock
        self._seq = 0

    def complete(
        self,
        event: Json,
        *,
        case_id: str | None = None,
        step_id: str | None = None,
        shard: int | None = None,
        also: Collection[str] = (),
    ) -> Json:
        """Give the whole event.

        Args:
            event: of one of the functions above.
            case_id: where it belongs to a case.
            step_id: and where to a step.
            shard: in a run that goes on side by side.
            also: values that are masked in this event alone, however short.
        """
        whole: Json = {}
        if self._is_counting:
            self._seq += 1
            whole["seq"] = self._seq
        whole |= {"ts": self._clock(), "kind": event["kind"]}
        places = {"case_id": case_id, "step_id": step_id, "shard": shard}
        whole |= {name: value for name, value in places.items() if value is not None}
        masked: Json = self._masker.mask_json(event, also)
        return whole | {key: _cut(value) for key, value in masked.items()}


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[: LONGEST_TEXT - 1] + "…"
    return value
