"""Runs under test."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from shared.principal import Principal
from tests.services.runs.conftest import Runs, suite_text

PATIENCE = 20.0

ROW = {
    "id",
    "run_id",
    "suite",
    "suite_id",
    "cases",
    "status",
    "summary",
    "queued_at",
    "started_at",
    "finished_at",
    "trigger",
    "plan_id",
    "attempt",
}


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Wait for a condition, and give what it gave."""
    deadline = time.monotonic() + PATIENCE
    while not (found := await condition()):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)
    return found


async def someone(runs: Runs, suite_id: str = "sign-up") -> Principal:
    """Give a member of a new organization that has one suite, ``sign-up.tripwire.yaml``."""
    member = runs.member()
    await runs.add_suite(member.org, text=suite_text(suite_id), suite_id=suite_id)
    return member


async def queue(runs: Runs, member: Principal, **body: Any) -> str:
    """Queue a run, and give its id."""
    answer = await runs.post("runs", member, {"suite": "sign-up.tripwire.yaml", **body})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["run_id"])


async def read(runs: Runs, member: Principal, run_id: str, **query: Any) -> dict[str, Any]:
    """Read a run."""
    answer = await runs.get(f"runs/{run_id}", member, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def said(runs: Runs, org: str) -> list[tuple[str, dict[str, Any]]]:
    """Give kinds and contents of what was said of an organization's runs."""
    rows = await runs.sql.fetch("SELECT kind, payload FROM runs.outbox ORDER BY id")
    events = [(row["kind"], json.loads(row["payload"])) for row in rows]
    return [(kind, event) for kind, event in events if event.get("org_id") == org]


def report_of(run_id: str, verdicts: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """A report of cases that ended like that."""
    counted = {
        word: sum(verdict == word for verdict in verdicts.values())
        for word in ("passed", "failed", "broken", "skipped")
    }
    status = next((word for word in ("broken", "failed") if counted[word]), "passed")
    return {
        "run_id": run_id,
        "suite": "Sign-up",
        "suite_id": "sign-up",
        "file": "sign-up.tripwire.yaml",
        "status": status,
        "started_at": "2026-03-02T10:00:00.000Z",
        "finished_at": "2026-03-02T10:00:09.000Z",
        "duration_ms": 9000,
        "summary": {"total": len(verdicts), **counted, "flaky": 0, "healed": 0},
        "env": {
            "base_url": "http://127.0.0.1:8400",
            "browser": "chromium",
            "headed": False,
            "git_sha": None,
            "ci_url": None,
        },
        "cases": [
            {
                "id": case,
                "title": case.title(),
                "tags": [],
                "verdict": verdict,
                "flaky": False,
                "attempt": 1,
                "reason": None,
                "duration_ms": 100,
                "steps": [],
                "assertions": [],
                "captures": {},
                "shots": [],
                "network_errors": [],
                "console_errors": [],
                "heals": [],
            }
            for case, verdict in verdicts.items()
        ],
        "issues_filed": [],
        **more,
    }
