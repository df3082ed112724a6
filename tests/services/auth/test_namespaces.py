"""Organizations are never called like a namespace in use, which their people would administer."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator

import pytest

from services.auth.consumers import SUBSCRIPTIONS
from services.auth.organizations import operations
from services.auth.organizations.models import Organization
from shared.bus import Event
from shared.contracts.agents import NamespaceClaimed
from shared.db import Database
from tests.services.auth.agents_support import BINDINGS, Agents, new_name, running_agents
from tests.services.auth.conftest import Person
from tests.support.postgres import DatabaseServer


@pytest.fixture(scope="module")
async def world(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Agents, Database]]:
    """The service and, beside it, a pool of our own on its database."""
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running_agents(urls, folder) as running:
        pool = await Database.connect(urls.url("auth"), size=4)
        yield running, pool
        await pool.close()


@pytest.fixture(scope="module")
async def agents(world: tuple[Agents, Database]) -> Agents:
    return world[0]


@pytest.fixture(scope="module")
async def database(world: tuple[Agents, Database]) -> Database:
    return world[1]


@pytest.fixture
def namespace() -> str:
    """A name that nobody uses, and that is its own slug."""
    return new_name("acme")


async def slug_of(agents: Agents, person: Person) -> str:
    slug: str = await agents.auth.sql.fetchval(
        "SELECT slug FROM auth.organization WHERE id = $1", person.claims.org
    )
    return slug


async def tell(database: Database, event: Event) -> None:
    """Deliver an event to the consumer of its kind."""
    (handler,) = [one.handler for one in SUBSCRIPTIONS if one.event is type(event)]
    async with database.transaction() as connection:
        await handler(connection, event)


async def found(database: Database, account_id: str, name: str) -> Organization:
    async with database.transaction() as connection:
        return await operations.create_for(connection, account_id, name)


async def someone_waits(agents: Agents) -> None:
    """Wait until somebody waits for a name."""
    deadline = time.monotonic() + 20
    while not await agents.auth.sql.fetchval(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ):
        assert time.monotonic() < deadline, "nobody waits"
        await asyncio.sleep(0.01)


async def test_a_stranger_gets_no_namespace_that_a_binding_names(
    agents: Agents, namespace: str
) -> None:
    account = await agents.account()
    made = await agents.bind("developer", account["user"], namespace)
    stranger = await agents.auth.person(namespace.replace("acme", "ACME"))
    slug = await slug_of(agents, stranger)
    assert slug.startswith(f"{namespace}-")
    shown = await agents.get(f"{BINDINGS}/{made['id']}", stranger.principal)
    assert (shown.status_code, shown.json()["message"]) == (404, "Role binding not found")
    assert (await agents.delete(f"{BINDINGS}/{made['id']}", stranger.principal)).is_client_error
    listed = await agents.get(f"{BINDINGS}?namespace={namespace}", stranger.principal)
    assert listed.status_code == 403
    assert (await agents.get(BINDINGS, stranger.principal)).json() == []
    body = {"role_name": "org-admin", "principal_name": account["user"], "namespace": namespace}
    assert (await agents.post(BINDINGS, body, stranger.principal)).status_code == 403
    (event,) = [
        event
        for event in await agents.auth.events("organization.created.v1")
        if event["org_id"] == stranger.claims.org
    ]
    assert event["slug"] == slug


async def test_once_no_binding_names_it_it_is_free(agents: Agents, namespace: str) -> None:
    made = await agents.bind("viewer", new_name(), namespace)
    assert (await agents.delete(f"{BINDINGS}/{made['id']}")).status_code == 204
    assert await slug_of(agents, await agents.auth.person(namespace)) == namespace


async def test_nobody_gets_a_namespace_in_which_there_is_something(
    agents: Agents, database: Database, namespace: str
) -> None:
    event = NamespaceClaimed(namespace=namespace)
    for said in (event, event, NamespaceClaimed(namespace=namespace)):
        await tell(database, said)
    people = [await agents.auth.person(namespace) for _ in range(2)]
    slugs = {await slug_of(agents, person) for person in people}
    assert len(slugs) == 2
    assert all(slug.startswith(f"{namespace}-") for slug in slugs)
    digest = hashlib.sha256(namespace.encode()).digest()
    assert await agents.auth.sql.fetchval(
        "SELECT true FROM auth.namespace WHERE digest = $1", digest
    )


async def test_an_organizations_own_people_use_its_name(
    agents: Agents, database: Database, namespace: str
) -> None:
    owner = await agents.auth.person(namespace)
    await tell(database, NamespaceClaimed(namespace=namespace))
    body = {"role_name": "developer", "principal_name": new_name(), "namespace": namespace}
    assert (await agents.post(BINDINGS, body, owner.principal)).status_code == 201
    assert await slug_of(agents, owner) == namespace


async def test_a_name_that_was_used_is_not_given_again(
    agents: Agents, database: Database, namespace: str
) -> None:
    """The news may also come after the organization has gone."""
    names = namespace, new_name("late")
    for name, is_late in zip(names, (False, True), strict=True):
        owner = await agents.auth.person(name)
        assert await slug_of(agents, owner) == name
        if not is_late:
            await tell(database, NamespaceClaimed(namespace=name))
        await agents.auth.sql.execute(
            "DELETE FROM auth.organization WHERE id = $1", owner.claims.org
        )
        if is_late:
            await tell(database, NamespaceClaimed(namespace=name))
        heir = await agents.auth.person(name)
        assert (await slug_of(agents, heir)).startswith(f"{name}-")


async def test_a_binding_that_is_being_made_counts(
    agents: Agents, database: Database, namespace: str
) -> None:
    person = await agents.auth.person()
    made = await agents.bind("viewer", new_name(), new_name())
    async with database.transaction() as connection:
        await operations.lock_namespace(connection, namespace)
        await connection.execute(
            "UPDATE auth.role_binding SET namespace = $1 WHERE id = $2::text::uuid",
            namespace,
            made["id"],
        )
        founding = asyncio.create_task(found(database, person.claims.sub, namespace))
        await someone_waits(agents)
    assert (await founding).slug.startswith(f"{namespace}-")


async def test_a_binding_waits_for_a_name_that_is_being_given(
    agents: Agents, database: Database, namespace: str
) -> None:
    person = await agents.auth.person()
    async with database.transaction() as connection:
        made = await operations.create_for(connection, person.claims.sub, namespace)
        assert made.slug == namespace
        binding = asyncio.create_task(agents.bind("viewer", new_name(), namespace))
        await someone_waits(agents)
    assert (await binding)["namespace"] == namespace


async def test_a_name_that_is_taken_keeps_nobody_waiting(
    agents: Agents, database: Database, namespace: str
) -> None:
    person = await agents.auth.person(namespace)
    async with database.transaction() as connection, asyncio.timeout(20):
        await operations.lock_namespace(connection, namespace)
        made = await found(database, person.claims.sub, namespace)
    assert made.slug.startswith(f"{namespace}-")


async def test_of_many_at_once_one_gets_the_name(
    agents: Agents, database: Database, namespace: str
) -> None:
    person = await agents.auth.person()
    made = await asyncio.gather(*(found(database, person.claims.sub, namespace) for _ in range(6)))
    assert [one.slug for one in made].count(namespace) == 1
    assert len({one.slug for one in made}) == 6
