from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.auth.consumers import SUBSCRIPTIONS
from shared.contracts.agents import ErasureCompleted as AgentsErasureCompleted
from shared.contracts.auth import AccountVerified
from shared.contracts.learnings import ErasureCompleted
from shared.contracts.runs import ErasureCompleted as RunsErasureCompleted
from shared.contracts.teams import ErasureCompleted as TeamsErasureCompleted
from shared.db import Database
from tests.services.auth.conftest import Auth, Person, running
from tests.services.auth.erasures_support import gone
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import client_of, settings_for

SERVICES = ("learnings", "runs", "teams", "agents")


@pytest.fixture(scope="module")
async def urls(database_server: DatabaseServer) -> AsyncIterator[DatabaseUrls]:
    async with database_server.clone() as cloned:
        yield cloned


@pytest.fixture(scope="module")
async def auth(urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Auth]:
    async with running(urls, tmp_path_factory.mktemp("data")) as service:
        yield service


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("auth"), size=4)
    yield database
    await database.close()


async def hear(database: Database, account_id: str, service: str) -> None:
    """Deliver an answer as the inbox would."""
    (handler,) = [row.handler for row in SUBSCRIPTIONS if row.event is ErasureCompleted]
    async with database.transaction() as connection:
        await handler(connection, ErasureCompleted(account_id=account_id, service=service))


async def erasure(auth: Auth, account_id: str) -> tuple[bool | None, set[str]]:
    """Tell whether an erasure is closed, and who has answered."""
    closed = await auth.sql.fetchval(
        "SELECT closed_at IS NOT NULL FROM auth.erasure WHERE account_id = $1", account_id
    )
    rows = await auth.sql.fetch(
        "SELECT service FROM auth.erasure_answer WHERE account_id = $1", account_id
    )
    return closed, {row["service"] for row in rows}


async def test_an_erasure_closes_when_all_have_answered(auth: Auth, database: Database) -> None:
    ada = await auth.person()
    await gone(auth, ada)
    for count, service in enumerate(SERVICES, 1):
        for _ in range(2):
            await hear(database, ada.claims.sub, service)
        done = count == len(SERVICES)
        assert await erasure(auth, ada.claims.sub) == (done, set(SERVICES[:count]))
    closed = await auth.sql.fetchval(
        "SELECT closed_at FROM auth.erasure WHERE account_id = $1", ada.claims.sub
    )
    await hear(database, ada.claims.sub, "runs")  # late, and for the third time
    assert closed == await auth.sql.fetchval(
        "SELECT closed_at FROM auth.erasure WHERE account_id = $1", ada.claims.sub
    )
    assert (
        await auth.sql.fetchval(
            "SELECT count(*) FROM auth.audit_event WHERE action = 'erasure.closed' AND target = $1",
            ada.claims.sub,
        )
        == 1
    )


async def test_answers_of_all_at_once_close_it_too(auth: Auth, database: Database) -> None:
    for _ in range(4):
        ada = await auth.person()
        await gone(auth, ada)
        await asyncio.gather(*(hear(database, ada.claims.sub, service) for service in SERVICES))
        assert await erasure(auth, ada.claims.sub) == (True, set(SERVICES))


@pytest.mark.parametrize("service", ["auth", "", "nobody"])
async def test_a_stranger_answers_nothing(auth: Auth, database: Database, service: str) -> None:
    ada = await auth.person()
    await gone(auth, ada)
    await hear(database, ada.claims.sub, service)
    await hear(database, "usr_never_erased", "runs")
    assert await erasure(auth, ada.claims.sub) == (False, set())
    assert await erasure(auth, "usr_never_erased") == (None, set())


def test_every_service_says_the_kind_that_auth_hears() -> None:
    for said in (
        ErasureCompleted,
        RunsErasureCompleted,
        TeamsErasureCompleted,
        AgentsErasureCompleted,
    ):
        event = said(account_id="usr_1")
        read = ErasureCompleted.model_validate_json(event.model_dump_json())
        assert said.kind == ErasureCompleted.kind
        assert read.service == said.publisher


async def test_bindings_that_wait_for_an_address_are_given_to_it(
    auth: Auth, database: Database
) -> None:
    ada = await auth.person()
    await auth.sql.execute(
        """
        INSERT INTO auth.role_binding (id, role_id, principal_type, principal_name, email_key)
        SELECT gen_random_uuid(), id, 'User', $1, $1 FROM auth.role WHERE name = 'admin'
        """,
        ada.email,
    )
    (handler,) = [row.handler for row in SUBSCRIPTIONS if row.event is AccountVerified]
    for _ in range(2):
        async with database.transaction() as connection:
            await handler(connection, AccountVerified(account_id=ada.claims.sub))
    bound = await auth.sql.fetchval(
        "SELECT principal_id FROM auth.role_binding WHERE principal_name = $1", ada.email
    )
    assert bound == ada.claims.sub


async def test_platform_administrators_see_who_has_forgotten_whom(
    auth: Auth, database: Database
) -> None:
    root = await auth.make_platform_admin(await auth.person("Root"))
    older, newer = await auth.person(), await auth.person()
    await gone(auth, older, newer)
    await hear(database, older.claims.sub, "teams")
    answer = await auth.send("GET", "/v1/admin/erasures", root.principal, params={"page_size": 2})
    body = answer.json()
    assert (body["page"], body["page_size"], body["total"] >= 2) == (1, 2, True)
    first, second = body["items"]
    assert (first["account_id"], first["answers"], first["closed_at"]) == (
        newer.claims.sub,
        [],
        None,
    )
    assert second["account_id"] == older.claims.sub
    assert [one["service"] for one in second["answers"]] == ["teams"]
    assert second["answers"][0]["answered_at"].endswith("Z")
    assert second["requested_at"].endswith("Z")
    rest = await auth.send(
        "GET", "/v1/admin/erasures", root.principal, params={"page_size": 2, "page": 2}
    )
    seen = {item["account_id"] for item in rest.json()["items"]}
    assert not seen & {newer.claims.sub, older.claims.sub}


async def test_others_see_no_erasures(auth: Auth, grace: Person) -> None:
    answer = await auth.send("GET", "/v1/admin/erasures", grace.principal)
    assert answer.status_code == 403
    assert (await auth.send("GET", "/v1/admin/erasures")).status_code == 401


async def test_all_services_together_forget_a_person(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    """The whole way: auth says it, four services hear, erase and answer, auth closes."""
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(database_server.clone())
        for name in SERVICES:
            service = importlib.import_module(f"services.{name}.app").SERVICE
            given = {"GUILDHALL_ROOT_SECRET": bytes(32), "GUILDHALL_DATA_DIR": tmp_path}
            settings = settings_for(service, urls, **given)
            await stack.enter_async_context(client_of(service, settings))
        auth = await stack.enter_async_context(
            running(urls, tmp_path, GUILDHALL_SERVE_BACKGROUND=True)
        )
        ada = await auth.person()
        await gone(auth, ada)
        async with asyncio.timeout(30):
            while not (await erasure(auth, ada.claims.sub))[0]:
                await asyncio.sleep(0.05)
        assert await erasure(auth, ada.claims.sub) == (True, set(SERVICES))
