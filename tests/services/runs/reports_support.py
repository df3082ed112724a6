"""Reports of runs as section 8.3 has them, and what a worker does with them at a run's end."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from services.runs.analytics import operations as analytics
from services.runs.issues import operations as issues
from services.runs.issues.models import Filed
from tests.services.runs.conftest import Runs

BASE = "https://shop.example"


def new_run() -> str:
    """Give a run's id that no other test uses."""
    return f"run_{uuid4().hex}"


def assertion(**fields: Any) -> dict[str, Any]:
    """An expectation that does not hold."""
    return {
        "id": "a1",
        "assert": '"Thank you" is shown',
        "check": {"kind": "visible_text", "contains": "Thank you"},
        "verdict": "failed",
        "expected": "Thank you",
        "observed": "Something went wrong",
        "source": "check",
        **fields,
    }


def case(case_id: str = "pay", verdict: str = "failed", **fields: Any) -> dict[str, Any]:
    """A case: with a failed expectation when it failed, with a broken step when it is broken."""
    steps = [{"id": "s1", "do": "Open the cart", "status": "passed"}]
    assertions: list[dict[str, Any]] = []
    if verdict == "failed":
        assertions = [assertion()]
    if verdict == "broken":
        error = 'There is no "Pay"'
        steps.append({"id": "s2", "do": 'Click "Pay"', "status": "broken", "error": error})
    return {
        "id": case_id,
        "title": f"Case {case_id}",
        "tags": [],
        "verdict": verdict,
        "flaky": False,
        "attempt": 1,
        "reason": {"failed": None, "broken": "not_found"}.get(verdict),
        "duration_ms": 100,
        "steps": steps,
        "assertions": assertions,
        "shots": [{"label": "failure", "note": "", "path": f"{case_id}/1-failure.png"}],
        "network_errors": [],
        **fields,
    }


def report(*cases: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A run's report."""
    return {
        "run_id": new_run(),
        "suite": "Checkout",
        "suite_id": "checkout",
        "file": "checkout.tripwire.yaml",
        "status": "failed",
        "started_at": "2026-03-02T10:00:00.000Z",
        "finished_at": "2026-03-02T10:01:00.000Z",
        "duration_ms": 60_000,
        "env": {"base_url": BASE},
        "cases": list(cases),
        **fields,
    }


async def file(runs: Runs, org: str, said: dict[str, Any], *words: str) -> Filed:
    """File a report in a transaction, as a worker does."""
    async with runs.database.transaction() as connection:
        return await issues.file(
            connection, org, report=said, run_id=said["run_id"], words=words or ("tripwire",)
        )


async def record(runs: Runs, org: str, said: dict[str, Any]) -> bool:
    """Count a report in a transaction, as a worker does."""
    async with runs.database.transaction() as connection:
        return await analytics.record(connection, org, report=said)
