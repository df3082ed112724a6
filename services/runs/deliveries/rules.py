"""Decisions about notifications: who is told of what, what is said, when it is tried again."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json

from services.runs.deliveries.models import Outcome
from services.runs.integrations.models.cards import card
from services.runs.runs.models import RunRow, Status

DELAYS: Final = (10.0, 60.0, 300.0, 900.0, 3600.0, 7200.0, 14_400.0)
"""Seconds before the second and each later attempt: eight attempts over some seven hours."""

JITTER: Final = 0.2
"""Share by which a delay may be longer, so that what failed at once is not retried at once."""

MOST_FAILURES: Final = 5
LONGEST: Final = 300
"""Characters of each text that is taken from a report."""

LONGEST_HEADER: Final = 150
"""Characters that Slack takes in a header."""

SCHEDULED: Final = "plan"
"""The trigger of runs that channels are told of."""

_FAILURES: Final = frozenset({Status.FAILED, Status.BROKEN, Status.INTERRUPTED})
_BAD: Final = ("failed", "broken")
_SIGNS: Final = {Status.PASSED: "✅", Status.CANCELLED: "⏹"}
_NUMBERS: Final = ("passed", "failed", "broken", "skipped", "flaky", "healed")


def is_told(trigger: str, status: Status, notify_on: str) -> bool:
    """Tell whether channels hear of a run.

    Args:
        trigger: what started it.
        status: as which it ended.
        notify_on: ``always``; anything else means failures only.
    """
    return trigger == SCHEDULED and (notify_on == "always" or status in _FAILURES)


def outcome_of(attempt: int, error: str, *, is_final: bool, later_s: float) -> Outcome:
    """Say what follows from an attempt.

    Args:
        attempt: its number, from 1.
        error: empty for success.
        is_final: whether trying again is no use.
        later_s: seconds that the channel asked us to wait at least.
    """
    if not error or is_final or attempt > len(DELAYS):
        return Outcome(error)
    delay = DELAYS[attempt - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311 - spreads load
    return Outcome(error, max(delay, later_s))


def message(channel: str, run: RunRow, report: Mapping[str, Any] | None, url: str) -> bytes:
    """Write what a channel is told of a run.

    Args:
        channel: ``slack``, ``teams`` or ``webhook``.
        run: that has ended.
        report: its masked report, if it has one.
        url: where the run is shown.
    """
    told = told_of(run, report, url)
    make = {"slack": _slack, "teams": _teams}.get(channel)
    return to_json(told if make is None else make(told, run))


def told_of(run: RunRow, report: Mapping[str, Any] | None, url: str) -> dict[str, Any]:
    """Give the message of an address of one's own, from which the others are made."""
    return {
        "event": "run.finished",
        "run": {
            "id": run.id,
            "suite": _cut(run.suite_name),
            "suite_id": run.suite_id,
            "file": run.file,
            "status": run.status.value,
            "trigger": run.trigger,
            "plan_id": run.plan_id,
            "git_sha": run.git_sha,
            "ci_url": run.ci_url,
            "queued_at": _time(run.queued_at),
            "started_at": _time(run.started_at),
            "finished_at": _time(run.finished_at),
        },
        "summary": dict(run.summary or {}),
        "failures": _failures(report),
        "url": url,
    }


def _failures(report: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    cases = report.get("cases") if isinstance(report, Mapping) else None
    bad = [
        case
        for case in (cases if isinstance(cases, Sequence) else ())
        if isinstance(case, Mapping) and case.get("verdict") in _BAD
    ]
    return [_failure(case) for case in bad[:MOST_FAILURES]]


def _failure(case: Mapping[str, Any]) -> dict[str, Any]:
    assertions = case.get("assertions")
    found = [
        each
        for each in (assertions if isinstance(assertions, Sequence) else ())
        if isinstance(each, Mapping) and each.get("verdict") in _BAD
    ]
    first = found[0] if found else {}
    issue = case.get("issue")
    return {
        "case_id": _cut(case.get("id")),
        "title": _cut(case.get("title")) or _cut(case.get("id")),
        "verdict": case.get("verdict"),
        "reason": _cut(case.get("reason")),
        "assert": _cut(first.get("assert")),
        "expected": _cut(first.get("expected")),
        "observed": _cut(first.get("observed")),
        "issue": issue.get("id") if isinstance(issue, Mapping) else None,
    }


def _cut(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    text = " ".join(value.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _heading(told: Mapping[str, Any], run: RunRow) -> str:
    return f"{_SIGNS.get(run.status, '❌')} {told['run']['suite']}: {run.status.value}"


def _numbers(told: Mapping[str, Any]) -> str:
    said = told["summary"]
    words = [f"{said[name]} {name}" for name in _NUMBERS if said.get(name)]
    return ", ".join(words) or "No case was run."


def _why(failure: Mapping[str, Any]) -> str:
    if failure["expected"] and failure["observed"]:
        return f"expected {failure['expected']}; observed {failure['observed']}"
    return str(failure["reason"] or failure["assert"] or failure["verdict"])


def _slack(told: Mapping[str, Any], run: RunRow) -> dict[str, Any]:
    heading = _heading(told, run)
    lines = [
        f"*{_slack_text(each['title'])}* ({each['verdict']}): {_slack_text(_why(each))}"
        for each in told["failures"]
    ]
    sections = [_slack_text(_numbers(told)), *lines, f"<{_slack_text(told['url'])}|Open the run>"]
    header = {"type": "plain_text", "text": heading[:LONGEST_HEADER], "emoji": True}
    blocks = [
        {"type": "header", "text": header},
        *({"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in sections),
    ]
    return {"text": _slack_text(f"{heading}. {_numbers(told)}"), "blocks": blocks}


def _slack_text(text: str) -> str:
    """Take from a text what Slack would take for a link, a name or a call to everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(told: Mapping[str, Any], run: RunRow) -> dict[str, Any]:
    # Runs of text, because text blocks would read Markdown, and so links, out of what pages said.
    body = [
        _rich((_heading(told, run), True)),
        _rich((_numbers(told), False)),
        *(
            _rich((f"{each['title']} ({each['verdict']}): ", True), (_why(each), False))
            for each in told["failures"]
        ),
    ]
    action = {"type": "Action.OpenUrl", "title": "Open the run", "url": told["url"]}
    return card(body, actions=[action])


def _rich(*pieces: tuple[str, bool]) -> dict[str, Any]:
    runs = [
        {"type": "TextRun", "text": text, "weight": "Bolder" if is_bold else "Default"}
        for text, is_bold in pieces
    ]
    return {"type": "RichTextBlock", "inlines": runs}
