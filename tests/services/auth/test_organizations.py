from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.auth.organizations import operations
from services.auth.organizations.rules import slug_of
from shared.db import Database
from shared.errors import Conflict, NotFound
from shared.principal import Role
from tests.services.auth.conftest import Auth, Person, running
from tests.support.postgres import DatabaseServer

Factory = pytest.TempPathFactory


@pytest.fixture(scope="module")
async def world(
    database_server: DatabaseServer, tmp_path_factory: Factory
) -> AsyncIterator[tuple[Auth, Database]]:
    """The service and, beside it, a pool of our own on its database."""
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running(urls, folder) as service:
        pool = await Database.connect(urls.url("auth"), size=2)
        yield service, pool
        await pool.close()


@pytest.fixture(scope="module")
async def auth(world: tuple[Auth, Database]) -> Auth:
    return world[0]


@pytest.fixture(scope="module")
async def database(world: tuple[Auth, Database]) -> Database:
    return world[1]


@pytest.mark.parametrize("path", ["/v1/admin/users", "/v1/admin/organizations"])
async def test_an_organizations_own_admin_sees_neither_list(
    auth: Auth, ada: Person, path: str
) -> None:
    answer = await auth.send("GET", path, ada.principal)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "Platform administrator required"}
    assert (await auth.send("GET", path)).status_code == 401


async def test_an_organization_is_shown_with_its_size(
    auth: Auth, database: Database, root: Person
) -> None:
    owner, member = await auth.person("Engines"), await auth.person()
    async with database.transaction() as connection:
        await operations.join(connection, owner.claims.org, member.claims.sub, Role.MEMBER)
    listed = await auth.send("GET", "/v1/admin/organizations?page_size=200", root.principal)
    (item,) = [one for one in listed.json()["items"] if one["id"] == owner.claims.org]
    assert item.pop("created_at").endswith("Z")
    assert item.pop("slug").startswith("engines")
    assert item == {
        "id": owner.claims.org,
        "name": "Engines",
        "member_count": 2,
        "plan": "free",
    }


async def test_a_platform_administrator_sees_all(
    auth: Auth, root: Person, ada: Person, grace: Person
) -> None:
    organizations = (
        await auth.send("GET", "/v1/admin/organizations?page_size=200", root.principal)
    ).json()
    assert {ada.claims.org, grace.claims.org} <= {item["id"] for item in organizations["items"]}
    users = (await auth.send("GET", "/v1/admin/users?page_size=200", root.principal)).json()
    by_id = {item["id"]: item for item in users["items"]}
    assert "password" not in str(users)
    assert by_id[ada.claims.sub]["org_id"] == ada.claims.org
    assert by_id[root.claims.sub]["platform_admin"]
    times = [item["created_at"] for item in users["items"]]
    assert times == sorted(times, reverse=True)
    assert users["total"] == len(users["items"])
    second = await auth.send("GET", "/v1/admin/users?page=2&page_size=1", root.principal)
    assert [item["id"] for item in second.json()["items"]] == [users["items"][1]["id"]]


@pytest.mark.parametrize("path", ["/v1/admin/users", "/v1/admin/organizations"])
@pytest.mark.parametrize("query", ["page=0", "page_size=201", "page=x", "page_size=-1"])
async def test_bad_paging_is_named(auth: Auth, root: Person, path: str, query: str) -> None:
    answer = await auth.send("GET", f"{path}?{query}", root.principal)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", query.partition("=")[0]]


async def test_two_of_one_name_get_two_slugs(auth: Auth) -> None:
    people = [await auth.person("Same Name") for _ in range(2)]
    slugs = await auth.sql.fetch(
        "SELECT slug FROM auth.organization WHERE id = ANY($1)",
        [person.claims.org for person in people],
    )
    assert len({row["slug"] for row in slugs}) == 2
    assert all(row["slug"].startswith("same-name") for row in slugs)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Ada Lovelace", "ada-lovelace"),
        ("  Zoë & Co. ", "zoe-co"),
        ("李小龍", "team"),
        ("---", "team"),
        ("x" * 200, "x" * 60),
        ("../../etc/passwd", "etc-passwd"),
    ],
)
def test_a_slug_is_plain(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@pytest.mark.parametrize("name", ["Default", "default!", "  DEFAULT "])
async def test_nobody_gets_the_namespace_that_all_share(
    auth: Auth, database: Database, name: str
) -> None:
    person = await auth.person()
    async with database.transaction() as connection:
        made = await operations.create_for(connection, person.claims.sub, name)
    assert made.slug.startswith("default-")
    (event,) = [e for e in await auth.events("organization.created.v1") if e["org_id"] == made.id]
    assert event["slug"] == made.slug


async def test_memberships_change_with_a_rising_version(
    auth: Auth, database: Database, ada: Person
) -> None:
    person = await auth.person()
    org_id, account_id = person.claims.org, ada.claims.sub
    async with database.transaction() as connection:
        await operations.lock(connection, org_id)
        await operations.join(connection, org_id, account_id, Role.MEMBER)
        await operations.change_role(connection, org_id, account_id, Role.ADMIN)
        await operations.leave(connection, org_id, account_id)
        await operations.join(connection, org_id, account_id, Role.MEMBER)
    told = (await auth.events("membership.changed.v1"))[-4:]
    assert [event["role"] for event in told] == ["member", "admin", "", "member"]
    assert {event["account_id"] for event in told} == {account_id}
    versions = [event["version"] for event in told]
    assert versions == sorted(set(versions))


async def test_what_no_membership_allows_is_refused(
    auth: Auth, database: Database, ada: Person, grace: Person
) -> None:
    org_id, stranger = ada.claims.org, grace.claims.sub
    with pytest.raises(Conflict):
        async with database.transaction() as connection:
            await operations.join(connection, org_id, ada.claims.sub, Role.MEMBER)
    with pytest.raises(NotFound):
        async with database.transaction() as connection:
            await operations.change_role(connection, org_id, stranger, Role.ADMIN)
    with pytest.raises(NotFound):
        async with database.transaction() as connection:
            await operations.leave(connection, org_id, stranger)
