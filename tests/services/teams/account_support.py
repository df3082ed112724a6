"""People and siblings at the account routes of teams."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from shared.principal import ANONYMOUS, Kind, Principal
from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.sharing_support import Sql
from tests.support.service import asserting, person

AUTH = Principal(Kind.SERVICE, "auth")
PUBLIC_URL = "http://127.0.0.1:8000"


def new_account() -> str:
    return f"usr_{uuid4().hex}"


def signed_in(auth: FakeAuth, account: str) -> dict[str, str]:
    """The headers of a browser in which somebody is signed in, on our own pages."""
    cookie = f"guildhall_session={uuid4().hex}"
    auth.sign_in(cookie, account)
    return {"cookie": cookie, "origin": PUBLIC_URL}


async def get_teams(client: httpx.AsyncClient, account: str, **query: Any) -> httpx.Response:
    """``GET /api/account/teams`` by bearer token."""
    headers = asserting("teams", person(account=account))
    return await client.get("/api/account/teams", headers=headers, params=query)


async def browse_teams(client: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    """``GET /api/account/teams`` as a browser."""
    asserted = asserting("teams", ANONYMOUS)
    return await client.get("/api/account/teams", headers=asserted | headers)


async def ask(client: httpx.AsyncClient, path: str, **question: Any) -> Any:
    """Ask as auth does."""
    answer = await client.post(path, headers=asserting("teams", AUTH), json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def drop(client: httpx.AsyncClient, *machines: Machine, without_owner: str = "") -> int:
    """Have the memberships of machines ended, as auth does; give how many did."""
    tokens = [machine.token for machine in machines]
    answer = await ask(
        client, "/internal/machines/drop", tokens=tokens, without_owner=without_owner
    )
    dropped: int = answer["dropped"]
    return dropped


async def placed(machine: Machine, sql: Sql, count: int, **team: Any) -> list[str]:
    """Make a machine a member of so many teams that others have made; give their ids."""
    made = [(await Machine(machine.client).make(f"T{n}", **team))["id"] for n in range(count)]
    await sql.execute(
        "INSERT INTO teams.membership (token, team_id) SELECT $1, unnest($2::uuid[])",
        machine.token,
        made,
    )
    return made
