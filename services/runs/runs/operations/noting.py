"""Adding to the report of a run that has ended what was filed with trackers since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from services.runs.runs.operations.holding import written
from services.runs.runs.store import moving, reading
from shared.db import Connection


async def note_filed(
    connection: Connection, org_id: str, run_id: str, filed: Mapping[str, Any]
) -> None:
    """Add to ``issues_filed`` of a run's report; nothing where there is no report any more.

    Args:
        connection: in a transaction.
        org_id: whose.
        run_id: of a run that has ended.
        filed: ``{provider, key, url, case_id, created}``, with ``error`` where it could not be.
            One of the same provider and case is replaced.
    """
    text = await reading.lock_report(connection, org_id, run_id)
    if text is None:
        return
    report = from_json(text)
    same = (filed["provider"], filed["case_id"])
    others = [
        one
        for one in report.get("issues_filed") or ()
        if (one.get("provider"), one.get("case_id")) != same
    ]
    report["issues_filed"] = [*others, dict(filed)]
    if (noted := written(report)) is not None:
        await moving.store_report(connection, org_id, run_id, noted)
