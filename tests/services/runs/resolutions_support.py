"""Entries and heals as the engine tells them, and a worker that keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.runs.engine.host.models import Kept
from services.runs.resolutions import operations
from tests.services.runs.conftest import Runs
from tests.services.runs.reports_support import new_run

FILE = "sign-up.tripwire.yaml"


def target(name: str = "Log in", **fields: Any) -> dict[str, Any]:
    """An element as a page has it."""
    return {
        "frame": [],
        "role": "button",
        "name": name,
        "label": "",
        "test_id": "",
        "css": "form > button",
        "neighbour": "",
        **fields,
    }


def entry(name: Any = "Log in", frame: Sequence[str] = (), css: str = "a", **fields: Any) -> Any:
    """A cache entry of the case ``log-in``."""
    return {
        "case_id": "log-in",
        "step_id": "s1",
        "part": 0,
        "template": 'Click "Log in"',
        "path": "/users/{id}",
        "target": target(name, frame=list(frame), css=css),
        "action": {},
        **fields,
    }


def heal(after: str = "Sign in", **fields: Any) -> dict[str, Any]:
    """A heal of the case ``log-in``."""
    return {
        "case_id": "log-in",
        "step_id": "s1",
        "part": 0,
        "template": 'Click "Log in"',
        "path": "/users/{id}",
        "before": target(),
        "after": target(after),
        "score": 85.0,
        "confidence": 0.85,
        **fields,
    }


async def keep(
    runs: Runs,
    org: str,
    case_id: str,
    entries: Sequence[Mapping[str, Any]] = (),
    heals: Sequence[Mapping[str, Any]] = (),
    *,
    run_id: str = "",
    suite_id: str = "sign-up",
) -> Mapping[str, list[str]]:
    """Keep what a case taught in a transaction, as a worker does."""
    kept = Kept(
        case_id=case_id,
        entries=tuple(one | {"case_id": case_id} for one in map(dict, entries)),
        heals=tuple(one | {"case_id": case_id} for one in map(dict, heals)),
    )
    async with runs.database.transaction() as connection:
        return await operations.keep(connection, org, suite_id, run_id or new_run(), [kept])
