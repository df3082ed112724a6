"""Keeping plans (runs contract, section 3.5)."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from pydantic_core import to_json

from services.runs.plans import rules, store
from services.runs.plans.models import (
    Draft,
    Login,
    Plan,
    PlanPage,
    PlanQuery,
    PlanRequest,
    PlanRow,
    ShownItem,
    Timing,
)
from services.runs.plans.operations.accounts import opened, sealed
from shared.db import Connection, Database
from shared.errors import Invalid, LimitExceeded, NotFound
from shared.ids import new_id
from shared.principal import Principal
from shared.vault import Vault

ID_PREFIX: Final = "plan_"

MOST_PLANS: Final = 1000
"""Of one organization."""


async def list_page(
    database: Database, vault: Vault, principal: Principal, query: PlanQuery
) -> PlanPage:
    """Give a page of plans, newest first."""
    async with database.connection() as connection:
        rows = await store.page(connection, principal.org, query.q, query.limit, query.offset)
        total = await store.count(connection, principal.org, query.q)
    items = [_shown(row, vault) for row in rows]
    return PlanPage(items=items, total=total, limit=query.limit, offset=query.offset)


async def read(database: Database, vault: Vault, principal: Principal, plan_id: str) -> Plan:
    """Give a plan.

    Raises:
        NotFound: there is no such plan.
    """
    async with database.connection() as connection:
        return _shown(await _require(connection, principal.org, plan_id), vault)


async def save(
    database: Database, vault: Vault, zone: tzinfo, principal: Principal, request: PlanRequest
) -> Plan:
    """Keep a new plan, or change one; its schedule is armed for its next boundary.

    A schedule that is none is kept, and what is wrong with it stands in ``schedule_error``.

    Args:
        database: the service's.
        vault: seals the test account.
        zone: in which schedules are read.
        principal: who saves it.
        request: with the id of the plan that is to be changed.

    Raises:
        Invalid: a test account without a password, where none is stored.
        LimitExceeded: there are too many plans.
        NotFound: there is no plan of that id.
    """
    org_id, plan_id = principal.org, request.id
    async with database.transaction() as connection:
        before = None
        if plan_id:
            before = await store.lock(connection, org_id, plan_id)
            if before is None:
                raise _unknown()
        draft = await _draft(connection, vault, zone, before, request)
        if plan_id:
            await store.update(connection, org_id, plan_id, draft, principal.account)
        else:
            plan_id = new_id(ID_PREFIX)
            await store.take_turn(connection, org_id)
            if await store.count(connection, org_id) >= MOST_PLANS:
                raise LimitExceeded(f"An organization has {MOST_PLANS} plans at most")
            await store.insert(connection, org_id, plan_id, draft, principal.account)
        return _shown(await _require(connection, org_id, plan_id), vault)


async def _draft(
    connection: Connection,
    vault: Vault,
    zone: tzinfo,
    before: PlanRow | None,
    request: PlanRequest,
) -> Draft:
    timing, login = None, None
    if before is not None:
        timing = Timing(before.schedule, before.schedule_error, before.next_run)
        login = before.login
    if "auth" in request.model_fields_set:
        login = _login(vault, login, request)
    items = [{"suite": item.suite, "cases": item.cases} for item in request.items]
    return Draft(
        name=request.name,
        description=request.description or "",
        items=to_json(items).decode(),
        parallel=request.parallel is True,
        timing=rules.timed(request.schedule, await store.now(connection), zone, timing),
        login=login,
    )


def _login(vault: Vault, stored: bytes | None, request: PlanRequest) -> bytes | None:
    if request.auth is None:
        return None
    try:
        login: Login = rules.kept_login(opened(vault, stored), request.auth)
    except rules.NoPassword:
        message = "is needed: there is none stored"
        raise Invalid.field("body", "auth", "password", msg=message, type="missing") from None
    return sealed(vault, login)


async def delete(database: Database, principal: Principal, plan_id: str) -> None:
    """Delete a plan; its runs stay, those that wait too.

    Raises:
        NotFound: there is no such plan.
    """
    async with database.transaction() as connection:
        if not await store.delete(connection, principal.org, plan_id):
            raise _unknown()


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Delete all plans of an organization."""
    await store.forget_organization(connection, org_id)


async def forget_account(connection: Connection, account_id: str) -> None:
    """Let no plan name an account."""
    await store.forget_account(connection, account_id)


async def _require(connection: Connection, org_id: str, plan_id: str) -> PlanRow:
    plan = await store.find(connection, org_id, plan_id)
    if plan is None:
        raise _unknown()
    return plan


def _shown(row: PlanRow, vault: Vault) -> Plan:
    return Plan(
        id=row.id,
        name=row.name,
        description=row.description,
        items=[
            ShownItem(suite=suite, cases=None if cases is None else list(cases))
            for suite, cases in row.items
        ],
        parallel=row.parallel,
        schedule=row.schedule,
        schedule_error=row.schedule_error,
        next_run=row.next_run,
        last_run=row.last_run,
        last_run_ids=list(row.last_run_ids),
        auth=rules.shown(opened(vault, row.login)),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _unknown() -> NotFound:
    return NotFound("There is no such plan")
