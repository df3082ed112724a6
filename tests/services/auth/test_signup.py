from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.services.auth.conftest import PASSWORD, Auth, Person, new_address, running
from tests.services.auth.people_support import BASE, GOOD, as_person, log_in, people_of
from tests.support.postgres import DatabaseServer

Factory = pytest.TempPathFactory
SIGNUP = f"{BASE}/signup"


@pytest.fixture(scope="module")
async def cloud(database_server: DatabaseServer, tmp_path_factory: Factory) -> AsyncIterator[Auth]:
    folder = tmp_path_factory.mktemp("data")
    more = {"UPLIFTR_DEPLOYMENT_MODE": "cloud"}
    async with database_server.clone() as urls, running(urls, folder, **more) as service:
        yield service


@pytest.fixture(autouse=True)
async def _forgiven(cloud: Auth) -> None:
    """All tests come from one network address, whose sign-ups count together."""
    await cloud.sql.execute("DELETE FROM auth.throttle")


async def sign_up(auth: Auth, address: str, **fields: object) -> tuple[int, dict[str, object]]:
    body: dict[str, Any] = {"email": address, "password": GOOD, "org_name": "Engines"} | fields
    answer = await auth.post(SIGNUP, **body)
    return answer.status_code, answer.json()


async def test_by_default_sign_up_is_closed(auth: Auth) -> None:
    address = new_address()
    status, body = await sign_up(auth, address)
    assert (status, body["type"]) == (403, "forbidden")
    assert not await auth.sql.fetchval("SELECT 1 FROM auth.account WHERE email = $1", address)


async def test_whoever_signs_up_owns_an_organization_of_their_own(cloud: Auth) -> None:
    address = new_address()
    body: dict[str, Any] = {"email": address, "password": GOOD, "org_name": "Analytical Engines"}
    answer = await cloud.post(SIGNUP, **body)
    assert answer.headers["cache-control"] == "no-store"
    person = await as_person(cloud, answer)
    user = answer.json()["user"]
    assert (user["role"], user["org_name"]) == ("owner", "Analytical Engines")
    assert person.claims.role == "owner"
    assert (await cloud.check(person))["active"]
    assert list(await people_of(cloud, person)) == [person.claims.sub]
    assert (await as_person(cloud, await log_in(cloud, address))).claims.org == person.claims.org
    for kind in ("account.registered.v1", "account.verified.v1", "membership.changed.v1"):
        assert (await cloud.events(kind))[-1]["account_id"] == person.claims.sub
    assert (await cloud.events("organization.created.v1"))[-1]["org_id"] == person.claims.org
    vouched = await cloud.sql.fetchval(
        "SELECT vouched_by FROM auth.account WHERE id = $1", person.claims.sub
    )
    assert vouched == person.claims.org, "nobody proved the address"


async def test_an_address_in_use_is_409(cloud: Auth) -> None:
    person: Person = await cloud.person()
    status, body = await sign_up(cloud, person.email.upper())
    assert (status, body["type"]) == (409, "conflict")
    assert (await log_in(cloud, person.email, PASSWORD)).status_code == 200


async def test_of_many_with_one_address_one_wins(cloud: Auth) -> None:
    address = new_address()
    answers = await asyncio.gather(*(sign_up(cloud, address) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 7
    assert await cloud.sql.fetchval("SELECT count(*) FROM auth.account WHERE email = $1", address)


async def test_sign_ups_from_one_address_are_limited(cloud: Auth) -> None:
    statuses = [(await sign_up(cloud, new_address()))[0] for _ in range(11)]
    assert statuses == [200] * 10 + [429]


@pytest.mark.parametrize("password", ["seven c", "password1"])
async def test_a_weak_password_is_400(cloud: Auth, password: str) -> None:
    address = new_address()
    status, _ = await sign_up(cloud, address, password=password)
    assert status == 400
    assert (await sign_up(cloud, address))[0] == 200


@pytest.mark.parametrize(
    "fields", [{"email": "nobody"}, {"org_name": ""}, {"org_name": "a\nb"}, {"password": 5}]
)
async def test_a_bad_field_is_named(cloud: Auth, fields: dict[str, object]) -> None:
    status, body = await sign_up(cloud, new_address(), **fields)
    assert status == 422
    assert f"body.{next(iter(fields))}" in str(body["error"])


async def test_unknown_fields_change_nothing(cloud: Auth) -> None:
    more = {"role": "platform_admin", "org_id": "org_x", "plan": "enterprise", "id": "usr_x"}
    status, body = await sign_up(cloud, new_address(), **more)
    assert status == 200
    user = body["user"]
    assert isinstance(user, dict)
    assert (user["role"], user["org_id"] == "org_x") == ("owner", False)
    plan = await cloud.sql.fetchval(
        "SELECT plan FROM auth.organization WHERE id = $1", user["org_id"]
    )
    assert plan == "free"
