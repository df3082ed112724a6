from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.auth.conftest import (
    PASSWORD,
    Auth,
    Person,
    new_address,
    running,
)
from tests.services.auth.people_support import BASE, GOOD, as_person, audit_of, log_in
from tests.services.auth.two_factor_support import enrol
from tests.support.postgres import DatabaseUrls

SETUP = f"{BASE}/setup"


@pytest.fixture
async def fresh(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Auth]:
    """An installation without an administrator."""
    async with running(database_urls, tmp_path) as service:
        yield service


async def state(auth: Auth) -> object:
    answer = await auth.send("GET", SETUP)
    assert answer.status_code == 200
    return answer.json()


async def test_the_first_one_becomes_platform_administrator(fresh: Auth) -> None:
    assert await state(fresh) == {"needs_setup": True}
    answer = await fresh.post(SETUP, email="First@Mail.example", password=GOOD)
    assert answer.headers["cache-control"] == "no-store"
    first = await as_person(fresh, answer)
    assert first.claims.role == "platform_admin"
    user = answer.json()["user"]
    assert (user["email"], user["role"]) == ("First@Mail.example", "admin")
    assert user["org_id"] == first.claims.org
    assert user["verified"]
    assert await state(fresh) == {"needs_setup": False}
    assert (await fresh.check(first))["role"] == "platform_admin"
    again = await as_person(fresh, await log_in(fresh, "first@mail.example"))
    assert again.claims.sub == first.claims.sub
    (event,) = await audit_of(fresh, "setup.done", first.claims.sub)
    assert (event["actor_id"], event["org_id"]) == (first.claims.sub, first.claims.org)
    for kind in ("account.registered.v1", "account.verified.v1"):
        assert [e["account_id"] for e in await fresh.events(kind)] == [first.claims.sub]
    assert len(await fresh.events("organization.created.v1")) == 1


async def test_setup_is_done_once(fresh: Auth) -> None:
    await fresh.post(SETUP, email=new_address(), password=GOOD)
    answer = await fresh.post(SETUP, email=new_address(), password=GOOD)
    assert answer.status_code == 409
    assert answer.json()["type"] == "setup_done"
    assert await fresh.sql.fetchval("SELECT count(*) FROM auth.account") == 1


async def test_who_registered_elsewhere_does_not_lock_everybody_out(fresh: Auth) -> None:
    await fresh.person()
    assert await state(fresh) == {"needs_setup": True}


async def test_a_disabled_administrator_does_not_open_setup_again(fresh: Auth) -> None:
    await fresh.post(SETUP, email=new_address(), password=GOOD)
    await fresh.sql.execute("UPDATE auth.account SET disabled_at = now()")
    assert await state(fresh) == {"needs_setup": False}
    assert (await fresh.post(SETUP, email=new_address(), password=GOOD)).status_code == 409


@pytest.mark.parametrize("addresses", [1, 50])
async def test_of_fifty_at_once_exactly_one_wins(fresh: Auth, addresses: int) -> None:
    names = [new_address() for _ in range(addresses)]
    answers = await asyncio.gather(
        *(fresh.post(SETUP, email=names[i % addresses], password=GOOD) for i in range(50))
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [409] * 49, statuses
    assert {a.json()["type"] for a in answers if a.status_code == 409} == {"setup_done"}
    admins = await fresh.sql.fetch("SELECT id FROM auth.account WHERE platform_admin")
    (winner,) = [answer for answer in answers if answer.status_code == 200]
    assert [row["id"] for row in admins] == [winner.json()["user"]["id"]]
    assert await fresh.sql.fetchval("SELECT count(*) FROM auth.account") == 1
    assert await fresh.sql.fetchval("SELECT count(*) FROM auth.organization") == 1
    assert await fresh.sql.fetchval("SELECT count(*) FROM auth.session") == 1


async def test_fifty_at_once_at_two_replicas_make_one(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with (
        running(database_urls, tmp_path) as one,
        running(database_urls, tmp_path) as two,
    ):
        answers = await asyncio.gather(
            *(
                replica.post(SETUP, email=new_address(), password=GOOD)
                for _ in range(25)
                for replica in (one, two)
            )
        )
        assert sorted(a.status_code for a in answers) == [200] + [409] * 49
        assert await one.sql.fetchval("SELECT count(*) FROM auth.account") == 1


async def test_an_unverified_address_is_taken_over(fresh: Auth) -> None:
    address = new_address()
    await fresh.register(address, password="the stranger's password")
    token = await fresh.token_for(address)
    first = await as_person(fresh, await fresh.post(SETUP, email=address, password=GOOD))
    assert (await log_in(fresh, address, "the stranger's password")).status_code == 401
    assert (await fresh.post("/v1/auth/verify-email", token=token)).status_code == 400
    assert (await as_person(fresh, await log_in(fresh, address))).claims.sub == first.claims.sub


async def test_a_verified_account_is_promoted_by_its_own_password_alone(fresh: Auth) -> None:
    person = await fresh.person()
    wrong = await fresh.post(SETUP, email=person.email, password=GOOD)
    assert wrong.status_code == 401
    assert await state(fresh) == {"needs_setup": True}
    right = await as_person(fresh, await fresh.post(SETUP, email=person.email, password=PASSWORD))
    assert (right.claims.sub, right.claims.role) == (person.claims.sub, "platform_admin")
    assert await fresh.sql.fetchval("SELECT count(*) FROM auth.organization") == 1


async def test_a_second_factor_holds_here_too(fresh: Auth) -> None:
    device = await enrol(fresh)
    body: dict[str, Any] = {"email": device.person.email, "password": PASSWORD}
    answer = await fresh.post(SETUP, **body)
    assert (answer.status_code, answer.json()["detail"]) == (401, "2FA required")
    assert await state(fresh) == {"needs_setup": True}
    assert (await fresh.post(SETUP, **body, code=device.code())).status_code == 200


async def test_guessing_the_password_of_an_account_is_throttled(fresh: Auth) -> None:
    person = await fresh.person()
    statuses = [
        (await fresh.post(SETUP, email=person.email, password=f"guess number {n}")).status_code
        for n in range(11)
    ]
    assert statuses == [401] * 10 + [429]


@pytest.mark.parametrize("password", ["seven c", "", "password1"])
async def test_a_weak_password_is_refused(fresh: Auth, password: str) -> None:
    answer = await fresh.post(SETUP, email=new_address(), password=password)
    assert answer.status_code == 400
    assert await state(fresh) == {"needs_setup": True}
    assert await fresh.sql.fetchval("SELECT count(*) FROM auth.account") == 0


@pytest.mark.parametrize(
    "body", [{}, {"email": "no address", "password": GOOD}, {"email": "a@b.example"}]
)
async def test_a_bad_body_is_named(fresh: Auth, body: dict[str, Any]) -> None:
    answer = await fresh.post(SETUP, **body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["path"].startswith("body.")


async def test_unknown_fields_change_nothing(fresh: Auth) -> None:
    more: dict[str, Any] = {
        "id": "usr_mine",
        "role": "member",
        "org_id": "org_x",
        "verified": False,
    }
    answer = await fresh.post(SETUP, email=new_address(), password=GOOD, **more)
    assert answer.json()["user"]["id"] != "usr_mine"
    assert answer.json()["user"]["role"] == "admin"


PRODUCTION = {
    "GUILDHALL_PROFILE": "production",
    "GUILDHALL_PASSWORD_MEMORY": 19_456,
    "GUILDHALL_PASSWORD_PASSES": 2,
}


async def test_in_production_setup_is_closed(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with running(database_urls, tmp_path, **PRODUCTION) as auth:
        assert await state(auth) == {"needs_setup": True}
        answer = await auth.post(SETUP, email=new_address(), password=GOOD)
        assert answer.status_code == 403
        assert answer.json()["type"] == "forbidden"
        assert await auth.sql.fetchval("SELECT count(*) FROM auth.account") == 0


async def test_in_production_a_setting_opens_it(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    more = PRODUCTION | {"GUILDHALL_SETUP_OPEN": "1"}
    async with running(database_urls, tmp_path, **more) as auth:
        answer = await auth.post(SETUP, email=new_address(), password=GOOD)
        assert answer.status_code == 200


async def test_the_administrator_of_the_settings_closes_it(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    admin = {"TRIPWIRE_ADMIN_EMAIL": new_address(), "TRIPWIRE_ADMIN_PASSWORD": GOOD}
    async with running(database_urls, tmp_path, **admin) as auth:
        assert await state(auth) == {"needs_setup": False}
        person: Person = await as_person(auth, await log_in(auth, admin["TRIPWIRE_ADMIN_EMAIL"]))
        assert person.claims.role == "platform_admin"
