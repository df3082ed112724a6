"""States and words of runs, and how reports are read. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import to_json

from services.runs.runs.models import CaseChange, Status, Summary

MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED, Status.BROKEN}),
    Status.RUNNING: frozenset(
        {
            Status.PASSED,
            Status.FAILED,
            Status.BROKEN,
            Status.CANCELLED,
            Status.INTERRUPTED,
            Status.QUEUED,
        }
    ),
}
"""From where a run may go where (section 7.1). Back into the queue once, after an interruption;
broken at once, where a plan's suite is gone."""

FINAL: Final = frozenset(Status) - MOVES.keys()
COUNTED: Final = frozenset({Status.PASSED, Status.FAILED, Status.BROKEN})
"""Ended by themselves: their outcomes count, and their failures are filed."""

ATTEMPTS: Final = 2
"""Times that a run is tried, where interrupted ones are tried once more."""

NONE: Final = "none"
TRACKERS: Final = ("tripwire", "github", "gitlab", "jira")

SLOWER_MS: Final = 250
SLOWER_SHARE: Final = 0.2
"""A case's duration differs if it does by both."""


class UnknownWord(ValueError):
    """A word that names no place where failures are filed."""


def may_move(status: Status, to: Status) -> bool:
    """Tell whether there is such a move; nothing leaves a final state."""
    return to in MOVES.get(status, ())


def may_try_again(attempt: int, *, requeues: bool) -> bool:
    """Tell whether an interrupted run goes back into the queue."""
    return requeues and attempt < ATTEMPTS


def read_places(text: str | None) -> str | None:
    """Read ``file_issues``: words separated by commas, in a form of their own; None if absent.

    Raises:
        UnknownWord: naming a word that is none, or ``none`` beside others.
    """
    words = [word.strip().lower() for word in (text or "").split(",")]
    words = list(dict.fromkeys(word for word in words if word))
    if not words:
        return None
    for word in words:
        if word not in (*TRACKERS, NONE):
            known = ", ".join((*TRACKERS, NONE))
            raise UnknownWord(f"file_issues knows {known}, and not {word!r}")
    if NONE in words and len(words) > 1:
        raise UnknownWord("file_issues: none stands alone")
    return ",".join(words)


def places(asked: str | None, installed: str) -> tuple[str, ...]:
    """Give where failures are filed; nothing where nothing is to be written anywhere.

    Args:
        asked: with the run, as ``read_places`` gave it.
        installed: what the installation says, where the run says nothing.
    """
    text = installed if asked is None else asked
    words = [word.strip().lower() for word in text.split(",")]
    if words == [NONE]:
        return ()
    wanted = [word for word in words if word in TRACKERS]
    # The built-in board is always one of them, because the others only mirror it.
    return tuple(dict.fromkeys(("tripwire", *wanted)))


def summary_of(report: Mapping[str, Any] | None) -> Summary:
    """Read a report's summary; what is no number counts as none."""
    said = report.get("summary") if report is not None else None
    numbers = said if isinstance(said, Mapping) else {}
    return Summary(
        **{
            field.name: value
            for field in fields(Summary)
            if isinstance(value := numbers.get(field.name), int) and not isinstance(value, bool)
        }
    )


def as_dict(summary: Summary) -> dict[str, int]:
    """Give a summary as it goes over the wire."""
    return {field.name: getattr(summary, field.name) for field in fields(summary)}


def written_time(now: datetime) -> str:
    """Write a time as events do: ISO 8601 in UTC, milliseconds, Z."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def done_event(status: Status, summary: Summary, now: datetime) -> dict[str, Any]:
    """Make the last event of a run (section 8.1)."""
    return {
        "ts": written_time(now),
        "kind": "done",
        "status": status.value,
        "summary": as_dict(summary),
    }


def log_event(message: str, now: datetime) -> dict[str, Any]:
    """Make an event that tells people something."""
    return {"ts": written_time(now), "kind": "log", "message": message}


def event_texts(events: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Give kinds and JSON texts of events; the texts lack the brace and the ``seq`` in front."""
    kinds = [str(event["kind"]) for event in events]
    texts = [
        to_json(
            {name: value for name, value in event.items() if name != "seq"}, inf_nan_mode="null"
        ).decode()[1:]
        for event in events
    ]
    return kinds, texts


def failed_cases(report: Mapping[str, Any] | None) -> list[str]:
    """Give the ids of cases that failed or were broken; skipped ones stay out."""
    return [
        str(case["id"])
        for case in cases_of(report)
        if case.get("verdict") in (Status.FAILED, Status.BROKEN)
    ]


def cases_of(report: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Give what a report says of cases."""
    found = report.get("cases") if report is not None else None
    cases = found if isinstance(found, list) else []
    return [case for case in cases if isinstance(case, Mapping) and "id" in case]


def ended_report(report: Mapping[str, Any], to: Status, now: datetime) -> dict[str, Any]:
    """Give a report, whole or not, as that of a run that has ended."""
    ended = {**report, "status": to.value, "issues_filed": report.get("issues_filed") or []}
    if not ended.get("finished_at"):
        ended["finished_at"] = written_time(now)
    ended["cases"] = [dict(case) for case in cases_of(report)]
    return ended


def with_heals(
    report: Mapping[str, Any], heals: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Give a report's cases with the ids of their heal records."""
    return [
        {**case, "heals": list(heals[str(case["id"])])} if str(case["id"]) in heals else dict(case)
        for case in cases_of(report)
    ]


def with_issues(
    report: Mapping[str, Any], by_case: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Give a report's cases with the issues that they were filed under."""
    return [
        {**case, "issue": dict(by_case[str(case["id"])])}
        if str(case["id"]) in by_case
        else dict(case)
        for case in cases_of(report)
    ]


def compare(
    report: Mapping[str, Any] | None, other: Mapping[str, Any] | None
) -> tuple[list[CaseChange], int]:
    """Give the cases that went otherwise, in this run's order, and how many did not."""
    mine = {str(case["id"]): case for case in cases_of(report)}
    theirs = {str(case["id"]): case for case in cases_of(other)}
    changes, same = [], 0
    for key in (*mine, *(key for key in theirs if key not in mine)):
        after, before = mine.get(key), theirs.get(key)
        kinds = _differences(before, after)
        if not kinds:
            same += 1
            continue
        shown = after or before
        assert shown is not None  # the key is of one of both
        title = str(shown.get("title", ""))
        changes.append(
            CaseChange(id=key, title=title, changes=kinds, before=_side(before), after=_side(after))
        )
    return changes, same


def _differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[str]:
    if before is None:
        return ["added"]
    if after is None:
        return ["removed"]
    found = []
    if before.get("verdict") != after.get("verdict"):
        found.append("verdict")
    if _is_slower(_number(before), _number(after)):
        found.append("duration")
    if _resolutions(before) != _resolutions(after):
        found.append("resolution")
    return found


def _number(case: Mapping[str, Any]) -> int:
    value = case.get("duration_ms")
    return value if isinstance(value, int) else 0


def _is_slower(one: int, two: int) -> bool:
    apart = abs(one - two)
    return apart >= SLOWER_MS and apart > SLOWER_SHARE * min(one, two)


def _side(case: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if case is None:
        return None
    return {
        "verdict": case.get("verdict"),
        "duration_ms": _number(case),
        "resolutions": _resolutions(case),
    }


def _resolutions(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the elements that a case's steps acted on: a reference differs from page to page."""
    steps = case.get("steps")
    found = []
    for step in steps if isinstance(steps, list) else ():
        actions = step.get("actions") if isinstance(step, Mapping) else None
        for action in actions if isinstance(actions, list) else ():
            target = action.get("target") if isinstance(action, Mapping) else None
            if isinstance(target, Mapping):
                found.append(
                    {
                        "step": step.get("id"),
                        "tool": action.get("tool"),
                        "role": target.get("role"),
                        "name": target.get("name"),
                    }
                )
    return found
