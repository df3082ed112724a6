"""Passes of plans: when asked, and by schedule (runs contract, section 3.5)."""

from __future__ import annotations

from services.runs.plans import store
from services.runs.plans.models import PlanRow, Started
from services.runs.plans.operations.accounts import usable
from services.runs.runs import operations as runs
from shared.db import Connection, Database
from shared.errors import NotFound
from shared.log import get_logger
from shared.principal import Principal
from shared.vault import Vault

log = get_logger()


async def start(
    database: Database, vault: Vault, ended: runs.Endings, principal: Principal, plan_id: str
) -> Started:
    """Queue a run of each item of a plan; behind the plan's earlier passes, if it is serial.

    Says run.queued of each.

    Raises:
        LimitExceeded: too many runs of the plan have not ended.
        NotFound: there is no such plan.
    """
    org_id = principal.org
    async with database.connection() as connection:
        plan = await store.find(connection, org_id, plan_id)
    if plan is None:
        raise _unknown()
    items = await runs.prepare(database, org_id, plan.items)
    async with database.transaction() as connection:
        # Locked, so that passes stand behind each other whole.
        if await store.lock(connection, org_id, plan_id) is None:
            raise _unknown()
        run_ids = await queue_pass(connection, vault, ended, plan, items, principal.account)
    log.info("plan started", plan_id=plan_id, org_id=org_id, runs=len(run_ids))
    return Started(run_ids=run_ids)


async def queue_pass(
    connection: Connection,
    vault: Vault,
    ended: runs.Endings,
    plan: PlanRow,
    items: list[runs.Prepared],
    account: str,
) -> list[str]:
    """Queue a pass of a plan that the caller has locked, and note it there.

    Args:
        connection: in a transaction.
        vault: opens the test account.
        ended: what else happens when a run ends.
        plan: as it was when its items were prepared.
        items: in their order.
        account: in whose name.

    Returns:
        The ids of the runs.

    Raises:
        LimitExceeded: too many runs of the plan have not ended.
    """
    one = runs.Pass(
        org_id=plan.org_id,
        plan_id=plan.id,
        in_turn=not plan.parallel,
        login=usable(vault, plan.login),
        created_by=account,
    )
    run_ids = await runs.enqueue_pass(connection, one, items, ended)
    await store.stamp(connection, plan.org_id, plan.id, run_ids)
    return run_ids


def _unknown() -> NotFound:
    return NotFound("There is no such plan")
