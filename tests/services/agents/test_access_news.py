"""A change that auth makes holds in agents soon, and nothing that was lost stays lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.agents.access.operations import Access, copying
from services.auth.app import SERVICE as AUTH
from shared.bus import Transport
from shared.bus.events import encode
from shared.contracts.auth import ServiceAccountChanged
from shared.errors import ServiceError
from shared.principal import Kind, Principal
from shared.service import create_app
from tests.services.agents.conftest import Agents, new_name, running
from tests.services.auth.agents_support import ACCOUNTS, BINDINGS
from tests.services.auth.agents_support import Agents as Half
from tests.services.auth.conftest import Auth, auth_settings
from tests.services.auth.fake_teams import fake_teams
from tests.support.postgres import DatabaseServer
from tests.support.serving import serving

DEADLINE = 15.0
KEY = b"sibling-key-of-auth-in-this-test"


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(DEADLINE):
        while not await holds():
            await asyncio.sleep(0.01)


async def seen(agents: Agents, principal: Principal) -> list[tuple[str, str | None]] | str:
    """What somebody holds by what the service remembers: grants, or the word of a refusal."""
    access: Access = agents.resources[Access]
    try:
        holder = await access.holder(principal)
    except ServiceError as error:
        return error.code
    return sorted(((grant.role, grant.namespace) for grant in holder.grants), key=str)


@asynccontextmanager
async def both(server: DatabaseServer, folder: Any) -> AsyncIterator[tuple[Half, Agents]]:
    """Auth and agents, each whole, with the bus between them."""
    async with server.clone() as urls, fake_teams() as teams:
        settings = auth_settings(
            urls,
            folder,
            GUILDHALL_SERVE_BACKGROUND=True,
            GUILDHALL_SIBLING_KEY=KEY,
            GUILDHALL_SERVICE_ADMIN_PASSWORD="admin",
        )
        sql = await asyncpg.connect(urls.url("auth"), timeout=10)
        try:
            async with (
                serving(create_app(AUTH, settings)) as url,
                httpx.AsyncClient(base_url=url, timeout=20) as client,
                running(
                    urls,
                    GUILDHALL_SERVE_BACKGROUND=True,
                    GUILDHALL_AUTH_URL=url,
                    GUILDHALL_AUTH_SIBLING_KEY=KEY,
                ) as agents,
            ):
                half = Half(Auth(client, sql, folder / "mail", teams))
                half.admin = await half.log_in("admin", "admin")
                yield half, agents
        finally:
            await sql.close(timeout=5)


async def test_what_is_changed_through_auth_holds_in_agents(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("data")
    async with both(database_server, folder) as (auth, agents):

        async def holds(principal: Principal, expected: object) -> None:
            async def same() -> bool:
                return await seen(agents, principal) == expected

            await until(same)

        await holds(auth.admin, [("admin", None)])
        robot = await auth.robot()
        await holds(robot, [])
        name = (await auth.get(f"{ACCOUNTS}/{robot.subject}")).json()["user"]
        bound = await auth.bind("viewer", name, "acme")
        await holds(robot, [("viewer", "acme")])
        assert (await auth.delete(f"{BINDINGS}/{bound['id']}")).status_code == 204
        await holds(robot, [])
        role = await auth.role()
        await auth.bind(role["name"], name)
        await holds(robot, [(role["name"], None)])
        assert (await auth.delete(f"/api/v0/roles/{role['name']}")).status_code == 204
        await holds(robot, [])
        await auth.put(f"{ACCOUNTS}/{robot.subject}", {"active": False})
        await holds(robot, "unauthorized")
        await auth.put(f"{ACCOUNTS}/{robot.subject}", {"active": True})
        await holds(robot, [])
        assert (await auth.delete(f"{ACCOUNTS}/{robot.subject}")).status_code == 204
        await holds(robot, "unauthorized")
        again = await auth.account(name)
        await holds(Principal(Kind.SERVICE_ACCOUNT, again["id"]), [])
        person = await auth.auth.person()
        slug = await agents_slug(auth, person.claims.org)
        await holds(person.principal, [("owner", slug)])


async def agents_slug(auth: Half, org: str) -> str:
    slug: str = await auth.auth.sql.fetchval(
        "SELECT slug FROM auth.organization WHERE id = $1", org
    )
    return slug


class FakeAuth:
    """Auth, as far as its snapshot goes."""

    def __init__(self) -> None:
        self.is_away = True
        self.asked = 0
        self.snapshot: dict[str, Any] = {
            "version": 1,
            "roles": [],
            "bindings": [],
            "service_accounts": [],
            "organizations": [],
            "standings": {},
        }

    def add_account(self) -> Principal:
        account = str(uuid4())
        row = {"id": account, "name": new_name("robot"), "active": True, "version": 1}
        self.snapshot["service_accounts"].append(row)
        return Principal(Kind.SERVICE_ACCOUNT, account)

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        return JSONResponse({}, 503) if self.is_away else JSONResponse(self.snapshot)


@asynccontextmanager
async def beside(server: DatabaseServer, **values: Any) -> AsyncIterator[tuple[FakeAuth, Agents]]:
    auth = FakeAuth()
    app = Starlette(routes=[Route("/internal/access/snapshot", auth.answer, methods=["POST"])])
    async with (
        server.clone() as urls,
        serving(app) as url,
        running(urls, GUILDHALL_AUTH_URL=url, GUILDHALL_AUTH_SIBLING_KEY=KEY, **values) as agents,
    ):
        yield auth, agents


async def test_auth_may_come_later(database_server: DatabaseServer) -> None:
    async with beside(database_server) as (auth, agents):
        robot = auth.add_account()

        async def asked_twice() -> bool:
            return auth.asked >= 2

        await until(asked_twice)
        assert await seen(agents, robot) == "unavailable"
        auth.is_away = False

        async def is_known() -> bool:
            return await seen(agents, robot) == []

        await until(is_known)


async def test_a_copy_of_before_is_good_enough_to_start_with(
    database_server: DatabaseServer,
) -> None:
    async with database_server.clone() as urls:
        async with running(urls) as agents:
            await agents.prepare()
            robot = await agents.robot("viewer", namespace="acme")
        async with running(urls) as agents:
            assert await seen(agents, robot) == [("viewer", "acme")]


async def test_a_change_that_was_lost_is_made_up_for(
    database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PATIENCE", 0.05)
    async with beside(database_server, GUILDHALL_SERVE_BACKGROUND=True) as (auth, agents):
        auth.is_away = False
        robot = auth.add_account()

        async def is_known() -> bool:
            return await seen(agents, robot) == []

        await until(is_known)
        # Change 2 ended the account; agents hears of change 3 only.
        auth.snapshot |= {"version": 3, "service_accounts": []}
        transport: Transport = agents.resources[Transport]
        said = ServiceAccountChanged(
            service_account_id=str(uuid4()), name="x", active=True, deleted=True, version=3
        )

        async def is_refused() -> bool:
            # Said until it is heard: a broadcast is for those who listen already.
            await transport.publish([encode(said)])
            return await seen(agents, robot) == "unauthorized"

        await until(is_refused)
