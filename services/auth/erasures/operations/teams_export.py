"""What one takes along from the teams surface (teams contract, section 8).

Teams tells its part in pages. What is short is complete before the first byte leaves, so that it is
a file or a 503. What is long leaves while it is gathered, because nobody's data may fill the
memory of a process; should teams go away then, the connection breaks, which no client takes for the
end of a file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from pydantic_core import to_json

from services.auth.erasures import store
from services.auth.erasures.models import TeamsAccount, TeamsMachine, TeamsPart
from services.auth.machines import operations as machines
from services.auth.machines.models import Machine
from shared.db import Database
from shared.errors import NotFound
from shared.siblings import Siblings

AHEAD: Final = 8_000_000
"""Bytes that are gathered before the first leaves."""


async def export_for_teams(
    database: Database, siblings: Siblings, account_id: str
) -> AsyncIterator[bytes]:
    """Give an account, its machines, and what the teams service holds of them, as JSON.

    Raises:
        NotFound: the account has gone.
        Unavailable: the teams service did not answer.
    """
    async with database.connection() as connection:
        account = await store.find_account(connection, account_id)
        found = await machines.list_for(connection, account_id)
    if account is None:
        raise NotFound(code="account_not_found")
    shown = TeamsAccount(**account.model_dump(include=set(TeamsAccount.model_fields)))
    head = b'{"account":%b,"machines":%b,"teams":[' % (
        to_json(shown),
        to_json([_shown(machine) for machine in found]),
    )
    pages, ready = _pages(siblings, account_id, found), bytearray(head)
    async for page in pages:
        ready += page
        if len(ready) >= AHEAD:
            break
    return _joined(bytes(ready), pages)


async def _joined(ready: bytes, pages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield ready
    async for page in pages:
        yield page
    yield b"]}"


async def _pages(siblings: Siblings, account_id: str, found: list[Machine]) -> AsyncIterator[bytes]:
    """Give the teams, separated by commas, as often as teams has more of them."""
    question: dict[str, Any] = {"account_id": account_id, "machines": _linked(found)}
    comma = b""
    while True:
        part = await siblings.ask("teams", "/internal/accounts/export", question, TeamsPart)
        if part.teams:
            yield comma + b",".join(to_json(team) for team in part.teams)
            comma = b","
        if part.next_after is None:
            return
        question["after"] = part.next_after


def _shown(machine: Machine) -> TeamsMachine:
    return TeamsMachine(
        token=machines.shown_token(machine.token),
        machine_name=machine.machine_name,
        last_seen_at=machine.last_seen_at,
        revoked_at=machine.revoked_at,
        created_at=machine.created_at,
    )


def _linked(found: list[Machine]) -> list[dict[str, str]]:
    return [
        {"token": machine.token, "machine_name": machine.machine_name}
        for machine in found
        if machine.revoked_at is None
    ]
