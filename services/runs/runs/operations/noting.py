"""Adding to the report of a run that has ended what was filed with trackers since."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from services.runs.runs.operations.holding import written
from services.runs.runs.operations.reading import report_of
from services.runs.runs.store import moving, reading
from shared.db import Connection, Database
from shared.errors import ServiceError
from shared.log import get_logger

Put = Callable[[str, str, str, bytes], Awaitable[object]]
"""Keeps a file: whose, of which run, under which path, what."""

LOOKS: Final = 5
"""How often a report may change while it is written as a file."""

PATIENCE: Final = 10.0
"""Seconds for that."""

log = get_logger()


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


async def keep_report(
    database: Database,
    put: Put,
    org_id: str,
    run_id: str,
    known: Mapping[str, Any] | None = None,
) -> None:
    """Keep a run's report as its file until both agree: whoever writes last has looked last.

    What cannot be kept is told to the log only.

    Args:
        database: the service's.
        put: keeps the file.
        org_id: whose.
        run_id: of a run that has ended.
        known: what the file holds already; None if that is not known.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            for _ in range(LOOKS):
                async with database.connection() as connection:
                    report = await report_of(connection, org_id, run_id)
                if report is None or report == known:
                    return
                content = to_json(report, indent=2, inf_nan_mode="null")
                await put(org_id, run_id, "report.json", content)
                known = report
    except (ServiceError, TimeoutError, OSError) as error:
        log.warning("report not kept as a file", run_id=run_id, reason=type(error).__name__)
