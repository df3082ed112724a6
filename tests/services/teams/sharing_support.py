"""Teams that are shared: invitations, what is said of them, and what attackers send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import asyncpg
import httpx

from tests.services.teams.conftest import FakeAuth, Machine

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

USED: Final = {"error": "unauthorized", "reason": "signature already used for another request"}
AWAY: Final = {"error": "service temporarily unavailable"}
NO_MEMBER: Final = {"error": "not a team member"}
MANY: Final = {"error": "team_id required: token belongs to multiple teams"}
NO_INVITE: Final = {"error": "invalid_invite"}
UNKNOWN_TEAM: Final = "6f1c1c52-5e0e-4a41-9c9b-4f4d4f3f8a10"

NOT_OBJECTS: Final = (
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"{",
    b"\xff\xfe",
    b'{"a":"\\ud800"}',
    b'{"a":"\\u0000"}',
    b'{"a":NaN}',
    b"[" * 10_000 + b"]" * 10_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
)
"""Bodies that are no JSON objects which the database could hold."""

ODD_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    7,
    -1,
    1.5,
    10**400,
    "",
    "x" * 100_000,
    "\U0001f980\u202e'\";--",
    [],
    ["trc"],
    {},
    {"$ne": None},
)
"""Values for a field that is a text."""


async def invited(machine: Machine, **fields: Any) -> str:
    """Invite to a machine's team and give the code."""
    answer = await machine.post("/api/teams/invite", {"token": machine.token, **fields})
    assert answer.status_code == 200, answer.text
    code: str = answer.json()["invite_code"]
    return code


async def join(machine: Machine, code: str, **options: Any) -> httpx.Response:
    """Ask to join by a code."""
    body = {"invite_code": code, "token": machine.token}
    return await machine.post("/api/join", body, **options)


async def settled(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Ask until there is an answer other than that some part is away for now, as clients do."""
    async with asyncio.timeout(60):
        while (answer := await ask()).status_code == 503:
            pass
    return answer


async def member_of(owner: Machine, **fields: Any) -> Machine:
    """Give a machine that has joined another one's team."""
    machine = Machine(owner.client)
    answer = await join(machine, await invited(owner, **fields))
    assert answer.status_code == 200, answer.text
    return machine


async def owned(machine: Machine, auth: FakeAuth, **team: Any) -> dict[str, Any]:
    """Make a team that belongs to the account of its machine."""
    auth.link(machine.token, "usr_" + machine.token[-8:])
    return await machine.make(**team)


def twin_of(machine: Machine, client: httpx.AsyncClient) -> Machine:
    """Give the same machine as it speaks to another process."""
    twin = Machine(client)
    twin.key, twin.token, twin.principal = machine.key, machine.token, machine.principal
    return twin


async def said(sql: Sql, kind: str, **fields: Any) -> list[dict[str, Any]]:
    """Give the events of a kind that were said with these fields, in their order."""
    rows = await sql.fetch("SELECT payload FROM teams.outbox WHERE kind = $1 ORDER BY id", kind)
    events = [json.loads(row["payload"]) for row in rows]
    bodies = [event.get("data", event) for event in events]
    return [body for body in bodies if fields.items() <= body.items()]


async def delete_softly(sql: Sql, team_id: str) -> None:
    """Delete a team as its page does, but leave what belongs to it."""
    await sql.execute("UPDATE teams.team SET deleted_at = now() WHERE id = $1", team_id)
