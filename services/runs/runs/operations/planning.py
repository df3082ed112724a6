"""A pass of a plan: its suites as runs, one of each item, in their order (section 3.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.runs.engine.grammar.parsing import parse
from services.runs.runs.models import NewRun, Status, Summary
from services.runs.runs.operations import moving
from services.runs.runs.operations.ending import Endings
from services.runs.runs.operations.queueing import ID_PREFIX, choose
from services.runs.runs.store import moving as rows
from services.runs.runs.store import working as store
from services.runs.suites import operations as suites
from services.runs.suites.models import EXTENSIONS, SuiteText, file_name
from shared.db import Connection, Database
from shared.errors import BadRequest, LimitExceeded
from shared.ids import new_id

MOST_UNFINISHED: Final = 1000
"""Runs of one plan that have not ended: passes that come faster than they go are refused."""

GONE: Final = "The suite {file} is gone, so this item of the plan could not be run."
UNREADABLE: Final = "The suite {file} cannot be read any more: correct its text first."


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """An item as it can be run, or why it cannot.

    Attributes:
        file, suite_id, suite_name, version: of the suite's newest text.
        cases: ids, with what they depend on; None: all.
        tags: of the cases chosen.
        reason: why there is nothing to be run; "" if there is.
    """

    file: str
    suite_id: str
    suite_name: str
    version: int
    cases: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Pass:
    """What all runs of a pass have in common.

    Attributes:
        org_id, plan_id: of the plan.
        in_turn: each run waits until those before it have ended, those of earlier passes too.
        login: sealed: the test account, if there is one.
        created_by: an account.
    """

    org_id: str
    plan_id: str
    in_turn: bool
    login: bytes | None
    created_by: str


async def prepare(
    database: Database, org_id: str, items: Sequence[tuple[str, Sequence[str] | None]]
) -> list[Prepared]:
    """Look at the suites of a plan's items, outside any transaction.

    Args:
        database: the service's.
        org_id: whose.
        items: a suite's name and ids of cases, None for all.
    """
    texts: dict[str, SuiteText | None] = {}
    async with database.connection() as connection:
        for name, _ in items:
            if name not in texts:
                texts[name] = await suites.find_text(connection, org_id, name)
    return [await _prepared(name, texts[name], cases) for name, cases in items]


async def _prepared(name: str, text: SuiteText | None, cases: Sequence[str] | None) -> Prepared:
    if text is None:
        file = file_name(name) or name
        stem = next((file.removesuffix(end) for end in EXTENSIONS if file.endswith(end)), file)
        return Prepared(file, stem, stem, 0, reason=GONE.format(file=file))
    # A text may be long: others are answered meanwhile.
    parsed = await asyncio.to_thread(parse, text.text)
    known = (text.file, text.suite_id, text.name, text.version)
    if parsed.suite is None:
        return Prepared(*known, reason=UNREADABLE.format(file=text.file))
    try:
        choice = choose(parsed.suite, cases, None)
    except BadRequest as refused:
        return Prepared(*known, reason=f"{text.file}: {refused.message}")
    return Prepared(*known, choice.cases, choice.tags)


async def enqueue_pass(
    connection: Connection, one: Pass, items: Sequence[Prepared], ended: Endings
) -> list[str]:
    """Queue a run of each item, in their order; one that cannot be run ends broken at once.

    The caller holds the plan's row: so of two passes one stands wholly behind the other.
    Says run.queued of each, and run.finished of those that ended.

    Args:
        connection: in a transaction.
        one: the pass.
        items: of the plan.
        ended: what else happens when a run ends.

    Returns:
        The ids of the runs.

    Raises:
        LimitExceeded: too many runs of the plan have not ended.
    """
    waiting = await store.count_unfinished(connection, one.org_id, one.plan_id)
    if waiting + len(items) > MOST_UNFINISHED:
        raise LimitExceeded(
            f"{waiting} runs of this plan have not ended, and {MOST_UNFINISHED} may wait"
        )
    new = [_new_run(one, item) for item in items]
    await moving.enqueue(connection, one.org_id, new)
    for run, item in zip(new, items, strict=True):
        if item.reason:
            await _break(connection, one.org_id, run.id, item.reason, ended)
    return [run.id for run in new]


def _new_run(one: Pass, item: Prepared) -> NewRun:
    return NewRun(
        id=new_id(ID_PREFIX),
        file=item.file,
        suite_id=item.suite_id,
        suite_name=item.suite_name,
        version=item.version,
        cases=item.cases,
        tags=item.tags,
        headed=False,
        is_sharded=False,
        file_issues=None,
        variables=None,
        trigger="plan",
        rerun_of=None,
        git_sha=None,
        ci_url=None,
        created_by=one.created_by,
        plan_id=one.plan_id,
        in_turn=one.in_turn,
        login=one.login,
    )


async def _break(
    connection: Connection, org_id: str, run_id: str, reason: str, ended: Endings
) -> None:
    run = await rows.lock(connection, org_id, run_id)
    assert run is not None  # it was just made
    broken = await moving.end(connection, run, Status.BROKEN, Summary(), reason)
    assert broken is not None  # its row is locked
    await ended(connection, broken, None)
