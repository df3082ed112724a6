from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shared.principal import Kind, Principal
from tests.services.auth.conftest import PASSWORD, Auth, Person, running
from tests.services.auth.device_support import linked_machine
from tests.services.auth.erasures_support import delete_me, gone, join, said, tables_naming
from tests.services.auth.two_factor_support import enrol
from tests.support.postgres import DatabaseServer


async def test_an_account_goes_with_all_that_is_its_own(auth: Auth) -> None:
    ada = await auth.person()
    other = await auth.sign_in(ada.email)
    account, org = ada.claims.sub, ada.claims.org
    key = await auth.post(f"/v1/admin/organizations/{org}/api-keys", ada.principal, name="of mine")
    machine = await linked_machine(auth, ada)
    await gone(auth, ada)
    for person in (ada, other):
        assert (await auth.check(person))["active"] is False
    login = await auth.post("/v1/auth/token", email=ada.email, password=PASSWORD)
    assert login.status_code == 401
    assert (await auth.send("GET", "/v1/auth/me", ada.principal)).status_code == 401
    (event,) = await said(auth, "account.deleted.v1", account_id=account)
    assert event["org_ids"] == [org]
    assert await said(auth, "organization.deleted.v1", org_id=org)
    assert (await said(auth, "membership.changed.v1", org_id=org))[-1]["role"] == ""
    for session in (ada.claims.sid, other.claims.sid):
        assert await said(auth, "session.revoked.v1", session_id=session)
    assert await said(auth, "api_key.revoked.v1", key_id=key.json()["id"], org_id=org)
    assert await said(auth, "machine.revoked.v1", token=machine.subject, account_id=account)
    assert (await auth.letters(ada.email, 2))[-1]["Subject"] == "Your account was deleted"


async def test_what_is_left_is_the_id_where_it_is_proof(auth: Auth) -> None:
    ada, grace = await auth.person(), await auth.person("Grace")
    await auth.post("/v1/waitlist", email=ada.email)
    await auth.post("/api/v1/auth/invites", grace.principal, email=ada.email, role="member")
    await auth.post("/v1/auth/forgot-password", email=ada.email)
    await auth.letters(ada.email, 3)
    await gone(auth, ada)
    await auth.letters(ada.email, 4)
    async with asyncio.timeout(20):
        while await auth.sql.fetchval("SELECT count(*) FROM auth.letter"):
            await asyncio.sleep(0.01)
    assert await tables_naming(auth, ada.email) == set()
    assert await tables_naming(auth, ada.claims.sub) == {"audit_event", "erasure", "outbox"}
    rows = await auth.sql.fetch(
        "SELECT action, outcome, actor_id FROM auth.audit_event WHERE target = $1", ada.claims.sub
    )
    assert ("account.deleted", "done", ada.claims.sub) in [tuple(row) for row in rows]


async def test_the_address_is_free_again(auth: Auth) -> None:
    ada = await auth.person()
    await gone(auth, ada)
    await auth.register(ada.email)
    token = await auth.token_for(ada.email, 3)
    assert (await auth.post("/v1/auth/verify-email", token=token)).status_code == 200
    again = await auth.sign_in(ada.email)
    assert again.claims.sub != ada.claims.sub


async def test_the_password_is_asked_for_and_tries_are_counted(auth: Auth) -> None:
    ada = await auth.person()
    for number in range(10):
        headers = {"x-guildhall-client": f"192.0.2.{number}"}
        body = {"password": "not the right one"}
        answer = await auth.send("DELETE", "/v1/auth/me", ada.principal, json=body, headers=headers)
        assert answer.status_code == 401
    assert (await delete_me(auth, ada)).status_code == 429
    assert (await auth.check(ada))["active"] is True


@pytest.mark.parametrize("body", [{}, {"password": ""}, {"password": "x" * 1025}, {"password": 7}])
async def test_without_a_password_nothing_goes(auth: Auth, body: dict[str, object]) -> None:
    ada = await auth.person()
    answer = await auth.send("DELETE", "/v1/auth/me", ada.principal, json=body)
    assert answer.status_code in (401, 422)
    assert (await auth.check(ada))["active"] is True


async def test_the_second_factor_is_asked_for_too(auth: Auth) -> None:
    device = await enrol(auth)
    ada = device.person
    answer = await delete_me(auth, ada)
    assert (answer.status_code, answer.json()["detail"]) == (401, "2FA required")
    assert (await delete_me(auth, ada, code=device.wrong_code())).status_code == 401
    assert (await auth.check(ada))["active"] is True
    assert (await delete_me(auth, ada, code=device.code())).status_code == 200


async def test_one_who_has_no_password_goes_by_the_session(auth: Auth) -> None:
    ada = await auth.person()
    await auth.sql.execute(
        "UPDATE auth.account SET password_hash = NULL WHERE id = $1", ada.claims.sub
    )
    answer = await auth.send("DELETE", "/v1/auth/me", ada.principal)
    assert answer.status_code == 200


async def test_a_key_deletes_nobody(auth: Auth, grace: Person) -> None:
    key = Principal(
        Kind.API_KEY, "key_x", grace.claims.org, "owner", ("*",), "key_x", grace.claims.sub
    )
    body = {"password": PASSWORD}
    assert (await auth.send("DELETE", "/v1/auth/me", key, json=body)).status_code == 403
    assert (await auth.send("DELETE", "/api/account", key)).status_code == 401
    assert (await auth.send("DELETE", "/v1/auth/me", json=body)).status_code == 401


async def test_an_organization_passes_to_its_oldest_admin(auth: Auth) -> None:
    ada, member, young, old = [await auth.person(name) for name in ("Ada", "M", "Y", "O")]
    org = ada.claims.org
    await join(auth, org, member, "member", days_ago=9)
    await join(auth, org, young, "admin", days_ago=1)
    await join(auth, org, old, "admin", days_ago=5)
    await gone(auth, ada)
    assert not await said(auth, "organization.deleted.v1", org_id=org)
    rows = await auth.sql.fetch(
        "SELECT account_id, role FROM auth.membership WHERE org_id = $1", org
    )
    assert {row["account_id"]: row["role"] for row in rows} == {
        member.claims.sub: "member",
        young.claims.sub: "admin",
        old.claims.sub: "owner",
    }
    left, passed = (await said(auth, "membership.changed.v1", org_id=org))[-2:]
    assert (left["account_id"], left["role"]) == (ada.claims.sub, "")
    assert (passed["account_id"], passed["role"]) == (old.claims.sub, "owner")
    (event,) = await said(auth, "account.deleted.v1", account_id=ada.claims.sub)
    assert event["org_ids"] == []


async def test_else_to_its_oldest_member_who_may_act(auth: Auth) -> None:
    ada, barred, young, old = [await auth.person(name) for name in ("Ada", "B", "Y", "O")]
    org = ada.claims.org
    await join(auth, org, barred, "member", days_ago=9)
    await join(auth, org, young, "member", days_ago=1)
    await join(auth, org, old, "member", days_ago=5)
    await auth.sql.execute(
        "UPDATE auth.account SET disabled_at = now() WHERE id = $1", barred.claims.sub
    )
    await gone(auth, ada)
    assert (
        await auth.sql.fetchval(
            "SELECT role FROM auth.membership WHERE org_id = $1 AND account_id = $2",
            org,
            old.claims.sub,
        )
        == "owner"
    )


async def test_an_organization_with_another_owner_or_of_others_just_goes_on(auth: Auth) -> None:
    ada, owner, admin = [await auth.person(name) for name in ("Ada", "O", "A")]
    shared, foreign = ada.claims.org, owner.claims.org
    await join(auth, shared, owner, "owner")
    await join(auth, shared, admin, "admin")
    await join(auth, foreign, ada, "member")
    key = await auth.post(
        f"/v1/admin/organizations/{shared}/api-keys", owner.principal, name="theirs"
    )
    assert key.status_code in (201, 404)  # the owner acts in an organization of their own
    await gone(auth, ada)
    rows = await auth.sql.fetch(
        "SELECT org_id, account_id, role FROM auth.membership WHERE org_id = ANY($1)",
        [shared, foreign],
    )
    assert {tuple(row) for row in rows} == {
        (shared, owner.claims.sub, "owner"),
        (shared, admin.claims.sub, "admin"),
        (foreign, owner.claims.sub, "owner"),
    }
    assert (await auth.check(owner))["active"] is True


async def test_of_many_at_once_one_deletes(auth: Auth) -> None:
    ada = await auth.person()
    answers = await asyncio.gather(*(delete_me(auth, ada) for _ in range(12)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 200
    assert set(codes[1:]) <= {401, 404}
    assert len(await said(auth, "account.deleted.v1", account_id=ada.claims.sub)) == 1
    assert len(await said(auth, "organization.deleted.v1", org_id=ada.claims.org)) == 1


async def test_owners_who_go_at_once_leave_no_organization_without_one(auth: Auth) -> None:
    for _ in range(3):
        people = [await auth.person(name) for name in ("A", "B", "C")]
        org = people[0].claims.org
        await join(auth, org, people[1], "admin")
        await join(auth, org, people[2], "member")
        await join(auth, people[1].claims.org, people[0], "admin")
        answers = await asyncio.gather(*(delete_me(auth, person) for person in people[:2]))
        assert [answer.status_code for answer in answers] == [200, 200]
        rows = await auth.sql.fetch(
            "SELECT account_id, role FROM auth.membership WHERE org_id = ANY($1)",
            [org, people[1].claims.org],
        )
        assert [tuple(row) for row in rows] == [(people[2].claims.sub, "owner")]


async def test_the_last_platform_administrator_stays(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with database_server.clone() as urls, running(urls, tmp_path) as auth:
        root = await auth.make_platform_admin(await auth.person("Root"))
        answer = await delete_me(auth, root)
        assert answer.status_code == 409
        assert "last platform administrator" in answer.json()["detail"]
        teams = await auth.send("DELETE", "/api/account", root.principal)
        assert teams.status_code == 409
        assert (await auth.check(root))["active"] is True
        second = await auth.make_platform_admin(await auth.person("Second"))
        answers = await asyncio.gather(delete_me(auth, root), delete_me(auth, second))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        assert (
            await auth.sql.fetchval("SELECT count(*) FROM auth.account WHERE platform_admin") == 1
        )


async def test_bindings_of_roles_end(auth: Auth) -> None:
    ada = await auth.person()
    await auth.sql.execute(
        """
        INSERT INTO auth.role_binding (id, role_id, principal_type, principal_name, principal_id)
        SELECT gen_random_uuid(), id, 'User', $1, $2 FROM auth.role WHERE name = 'admin'
        """,
        ada.email,
        ada.claims.sub,
    )
    await gone(auth, ada)
    assert not await auth.sql.fetchval(
        "SELECT count(*) FROM auth.role_binding WHERE principal_id = $1", ada.claims.sub
    )
    ended = await said(auth, "role_binding.changed.v1", principal_id=ada.claims.sub)
    assert [event["deleted"] for event in ended] == [True]


async def test_an_unknown_body_changes_nothing_else(auth: Auth, grace: Person) -> None:
    ada = await auth.person()
    body = {"id": grace.claims.sub, "account_id": grace.claims.sub, "email": grace.email}
    assert (await delete_me(auth, ada, **body)).status_code == 200
    assert (await auth.check(grace))["active"] is True
    assert not await said(auth, "account.deleted.v1", account_id=grace.claims.sub)
