"""What one takes along, and what an account looks like to the teams surface."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from pydantic_core import from_json

from services.auth.erasures import store
from services.auth.erasures.models import (
    AccountPage,
    AccountView,
    Export,
    ExportedAccount,
    MachineView,
)
from services.auth.external_logins import operations as external_logins
from services.auth.machines import operations as machines
from services.auth.machines.models import Machine
from shared.db import Connection, Database, Record
from shared.errors import NotFound
from shared.principal import Principal

MOST_AUDIT_EVENTS: Final = 10_000


async def export_all(database: Database, principal: Principal) -> Export:
    """Give everything that auth holds of the caller, but no secret.

    Raises:
        Forbidden: the caller is no person who is signed in.
        NotFound: the account has gone.
    """
    principal.require_person()
    account_id = principal.account
    async with database.connection() as connection:
        account = await _account(connection, account_id)
        events = await store.list_audit_events(connection, account_id, MOST_AUDIT_EVENTS)
        return Export(
            account=account,
            organizations=_plain(await store.list_organizations(connection, account_id)),
            sessions=_plain(await store.list_sessions(connection, account_id)),
            api_keys=_plain(await store.list_keys(connection, account_id)),
            machines=[_machine(one) for one in await machines.list_for(connection, account_id)],
            external_identities=[
                asdict(one) for one in await external_logins.list_for(connection, account_id)
            ],
            two_factor=await store.has_second_factor(connection, account_id),
            audit_events=[{**row, "detail": from_json(row["detail"])} for row in events],
            audit_events_total=await store.count_audit_events(connection, account_id),
        )


async def read_account(database: Database, account_id: str) -> AccountPage:
    """Give an account and its machines, revoked ones too.

    Raises:
        NotFound: the account has gone.
    """
    async with database.connection() as connection:
        account = await _account(connection, account_id)
        found = await machines.list_for(connection, account_id)
    return AccountPage(
        account=AccountView(id=account.id, email=account.email),
        machines=[
            MachineView(
                id=machine.id,
                machine_name=machine.machine_name,
                token=machines.shown_token(machine.token),
                last_seen_at=machine.last_seen_at,
                revoked_at=machine.revoked_at,
            )
            for machine in found
        ],
    )


async def _account(connection: Connection, account_id: str) -> ExportedAccount:
    account = await store.find_account(connection, account_id)
    if account is None:
        raise NotFound(code="account_not_found")
    return account


def _machine(machine: Machine) -> dict[str, Any]:
    shown = asdict(machine)
    del shown["version"]
    return shown


def _plain(rows: list[Record]) -> list[dict[str, Any]]:
    return [dict(row) for row in rows]
