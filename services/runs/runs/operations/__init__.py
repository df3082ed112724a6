"""Runs: queued, read, followed, cancelled, executed by workers, and ended."""

from __future__ import annotations

from services.runs.runs.operations.changing import cancel, delete
from services.runs.runs.operations.ending import NOTHING_ELSE, Endings
from services.runs.runs.operations.finishing import finish, give_up, reconcile
from services.runs.runs.operations.following import Streams, admit, follow, has_more
from services.runs.runs.operations.forgetting import forget_account, forget_organization
from services.runs.runs.operations.holding import LeaseLost, claim, record, renew
from services.runs.runs.operations.noting import Put, keep_report, note_filed
from services.runs.runs.operations.planning import Pass, Prepared, enqueue_pass, prepare
from services.runs.runs.operations.queueing import queue as enqueue
from services.runs.runs.operations.queueing import rerun
from services.runs.runs.operations.reading import compare, list_page, queue, read

__all__ = [
    "NOTHING_ELSE",
    "Endings",
    "LeaseLost",
    "Pass",
    "Prepared",
    "Put",
    "Streams",
    "admit",
    "cancel",
    "claim",
    "compare",
    "delete",
    "enqueue",
    "enqueue_pass",
    "finish",
    "follow",
    "forget_account",
    "forget_organization",
    "give_up",
    "has_more",
    "keep_report",
    "list_page",
    "note_filed",
    "prepare",
    "queue",
    "read",
    "reconcile",
    "record",
    "renew",
    "rerun",
]
