"""What platform administrators may do to anybody: ``PATCH /v1/admin/users/{id}``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.principal import Kind, Principal, Role
from tests.services.auth.conftest import Auth, Person, new_address, running
from tests.services.auth.people_support import audit_of, colleague, log_in
from tests.support.postgres import DatabaseServer


@pytest.fixture
async def fresh(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Auth]:
    """A service without any platform administrator."""
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running(urls, folder) as service:
        yield service


async def change(auth: Auth, caller: Person, whom: Person | str, **fields: Any) -> httpx.Response:
    account_id = whom if isinstance(whom, str) else whom.claims.sub
    path = f"/v1/admin/users/{account_id}"
    return await auth.send("PATCH", path, caller.principal, json=fields)


async def administrators(auth: Auth) -> set[str]:
    rows = await auth.sql.fetch(
        "SELECT id FROM auth.account WHERE platform_admin AND disabled_at IS NULL"
    )
    return {row["id"] for row in rows}


async def test_somebody_is_barred_and_let_in_again(auth: Auth, root: Person) -> None:
    person = await auth.person()
    answer = await change(auth, root, person, disabled=True)
    assert answer.status_code == 200, answer.text
    listed = await auth.send("GET", "/v1/admin/users", root.principal)
    assert answer.json() in listed.json()["items"]
    assert answer.json()["id"] == person.claims.sub
    assert not (await auth.check(person))["active"]
    assert (await log_in(auth, person.email)).status_code == 401
    assert person.claims.sub in {e["account_id"] for e in await auth.events("account.disabled.v1")}
    assert person.claims.sid in {e["session_id"] for e in await auth.events("session.revoked.v1")}
    (event,) = await audit_of(auth, "user.changed", person.claims.sub)
    assert (event["actor_id"], event["outcome"]) == (root.claims.sub, "done")
    again = await change(auth, root, person, disabled=True)
    assert again.status_code == 200, "it is so already"
    assert (await change(auth, root, person, disabled=False)).status_code == 200
    assert not (await auth.check(person))["active"], "the session stays ended"
    assert (await auth.check(await auth.sign_in(person.email)))["active"]


async def test_somebody_administers_the_installation_for_a_while(auth: Auth, root: Person) -> None:
    person = await auth.person()
    answer = await change(auth, root, person, platform_admin=True)
    assert (answer.json()["platform_admin"], answer.json()["role"]) == (True, "admin")
    assert (await auth.check(person))["role"] == Role.PLATFORM_ADMIN
    second = await auth.sign_in(person.email)
    assert second.principal.is_platform_admin
    answer = await change(auth, root, person, platform_admin=False)
    assert answer.json()["platform_admin"] is False
    for session in (person, second):
        assert not (await auth.check(session))["active"], "what the token said is no longer so"
    # A token that a gateway has not forgotten yet opens nothing here.
    stale = await change(auth, second, person, platform_admin=True)
    assert stale.status_code == 403
    assert not (await auth.sign_in(person.email)).principal.is_platform_admin


async def test_nobody_else_may(auth: Auth, root: Person) -> None:
    owner, target = await auth.person(), await auth.person()
    admin, member = await colleague(auth, owner, "admin"), await colleague(auth, owner)
    for caller in (owner, admin, member, target):
        for whom in (caller, target, root):
            answer = await change(auth, caller, whom, platform_admin=True, disabled=False)
            assert answer.status_code == 403
    key = Principal(
        Kind.API_KEY, "key_x", root.claims.org, Role.ADMIN, ("*",), "key_x", root.claims.sub
    )
    path = f"/v1/admin/users/{target.claims.sub}"
    assert (await auth.send("PATCH", path, key, json={"disabled": True})).status_code == 403
    assert (await auth.send("PATCH", path, json={"disabled": True})).status_code == 401
    assert (await auth.check(target))["active"]


async def test_what_is_asked_must_make_sense(auth: Auth, root: Person) -> None:
    person, address = await auth.person(), new_address()
    assert (await change(auth, root, "usr_unknown", disabled=True)).status_code == 404
    bad: list[dict[str, Any]] = [{"disabled": "yes"}, {"platform_admin": 1}, {"disabled": []}]
    for fields in bad:
        answer = await change(auth, root, person, **fields)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", next(iter(fields))]
    ignored = await change(auth, root, person, role="owner", email=address, disabled=None)
    assert ignored.status_code == 200
    assert ignored.json()["email"] == person.email
    await auth.register(address)
    unverified = await auth.sql.fetchval("SELECT id FROM auth.account WHERE email = $1", address)
    answer = await change(auth, root, unverified, platform_admin=True)
    assert answer.status_code == 409
    assert unverified not in await administrators(auth)


async def test_the_last_administrator_stays(fresh: Auth) -> None:
    root = await fresh.make_platform_admin(await fresh.person("Root"))
    for fields in ({"disabled": True}, {"platform_admin": False}):
        answer = await change(fresh, root, root, **fields)
        assert answer.status_code == 409
        assert "last platform administrator" in answer.json()["detail"]
    # One who is disabled does not count, nor one who is disabled by the same request.
    second = await fresh.person("Second")
    await change(fresh, root, second, disabled=True, platform_admin=True)
    assert (await change(fresh, root, root, platform_admin=False)).status_code == 409
    await change(fresh, root, second, disabled=False)
    assert (await change(fresh, root, root, platform_admin=False)).status_code == 200
    assert await administrators(fresh) == {second.claims.sub}


@pytest.mark.parametrize("fields", [{"disabled": True}, {"platform_admin": False}], ids=str)
@pytest.mark.parametrize("whom", ["oneself", "each other"])
async def test_of_many_at_once_one_administrator_stays(
    fresh: Auth, fields: dict[str, Any], whom: str
) -> None:
    roots = [await fresh.make_platform_admin(await fresh.person()) for _ in range(5)]
    targets = roots if whom == "oneself" else [*roots[1:], roots[0]]
    answers = await asyncio.gather(
        *(
            change(fresh, root, target, **fields)
            for root, target in zip(roots, targets, strict=True)
            for _ in range(4)
        )
    )
    assert {answer.status_code for answer in answers} <= {200, 403, 409}
    assert len(await administrators(fresh)) >= 1
