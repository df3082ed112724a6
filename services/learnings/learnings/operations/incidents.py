"""Recording what was learned from closed issues."""

from __future__ import annotations

from services.learnings.learnings import rules
from services.learnings.learnings.models import Author, Verdict
from services.learnings.learnings.operations.recording import record_batch
from shared.contracts.runs import IssueClosed
from shared.db import Connection

RUNS: str = "runs"
"""Who writes these learnings: the sibling service, and nobody's account."""


async def record_issue(connection: Connection, event: IssueClosed) -> Verdict | None:
    """Record the learning of a closed issue, or bring it up to date.

    Runs in the transaction of the inbox. Nothing happens where the cause was not found out, and
    nothing when a state of the issue comes again, or an older one after a newer.
    """
    entry = rules.entry_of_issue(event)
    if entry is None:
        return None
    author = Author(event.org_id, RUNS, "")
    (verdict,) = await record_batch(connection, author, [entry])
    return verdict
