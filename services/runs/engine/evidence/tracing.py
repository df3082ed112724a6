"""The trace context that requests of a case carry (contract 9)."""

from __future__ import annotations

import hashlib


def traceparent_of(run_id: str, run_attempt: int, case_id: str, attempt: int) -> str:
    """Give the W3C trace context of an attempt at a case, the same whenever it is asked for.

    Args:
        run_id: of the run.
        run_attempt: of the run, from 1 on.
        case_id: of the case.
        attempt: at the case, from 1 on.
    """
    seed = f"{run_id}\n{run_attempt}\n{case_id}\n{attempt}".encode()
    digest = hashlib.sha256(seed).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01"


def trace_id_of(run_id: str, run_attempt: int, case_id: str, attempt: int) -> str:
    """Give the id in it, by which an application's log knows the requests."""
    return traceparent_of(run_id, run_attempt, case_id, attempt).split("-")[1]
