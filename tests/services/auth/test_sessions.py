from __future__ import annotations

import asyncio
import hashlib
import json
import time

import pytest

from services.auth.audit_events.models import Origin
from services.auth.sessions.models import SessionCheck, SessionVerdict
from services.auth.sessions.operations import SessionChecks, check, end_all, sweep
from services.auth.web_sessions.store import find as find_cookie
from shared.db import Database
from shared.principal import Kind, Principal
from shared.tokens import Claims
from tests.services.auth.conftest import GATEWAY, PASSWORD, PUBLIC_URL, Auth, Person, new_address
from tests.services.auth.test_accounts import hashing
from tests.support.postgres import DatabaseUrls

__all__ = ["hashing"]

INACTIVE = {"active": False, "kind": "", "role": "", "scopes": [], "groups": []}
HELD = {"active": True, "kind": "user", "role": "owner", "scopes": ["*"], "groups": []}
WRONG = {"detail": "Invalid email or password"}


@pytest.mark.parametrize("path", ["/v1/auth/token", "/v1/auth/login"])
async def test_a_token_for_a_password(auth: Auth, ada: Person, path: str) -> None:
    answer = await auth.post(path, email=ada.email.title(), password=PASSWORD)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    claims = await auth.claims_of(body.pop("access_token"))
    assert body.pop("refresh_token").startswith("refresh_")
    assert body == {"token_type": "bearer", "expires_in": 3600}
    assert claims == Claims(
        iss=PUBLIC_URL,
        sub=ada.claims.sub,
        sid=claims.sid,
        org=ada.claims.org,
        role="owner",
        iat=claims.iat,
        exp=claims.iat + 3600,
        jti=claims.jti,
    )
    assert claims.sid.startswith("ses_")
    assert claims.sid != ada.claims.sid
    assert abs(claims.iat - time.time()) < 60


async def test_wrong_password_and_unknown_address_look_alike(
    auth: Auth, ada: Person, hashing: dict[str, int]
) -> None:
    unverified = new_address()
    await auth.register(unverified)
    bodies = [
        {"email": ada.email, "password": "not the password"},
        {"email": new_address(), "password": "not the password"},
        {"email": unverified, "password": "not the password"},
        {"email": "no address at all", "password": "not the password"},
    ]
    for body in bodies:
        hashing.clear()
        answer = await auth.send("POST", "/v1/auth/token", json=body)
        assert (answer.status_code, answer.json()) == (401, WRONG)
        assert hashing == {"verify": 1}


async def test_an_unverified_address_gets_no_token(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    answer = await auth.post("/v1/auth/token", email=address, password=PASSWORD)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Email not verified"})


async def test_a_disabled_account_looks_like_an_unknown_one(auth: Auth) -> None:
    person = await auth.person()
    assert (await auth.check(person))["active"]
    await auth.sql.execute(
        "UPDATE auth.account SET disabled_at = now() WHERE id = $1", person.claims.sub
    )
    answer = await auth.post("/v1/auth/token", email=person.email, password=PASSWORD)
    assert (answer.status_code, answer.json()) == (401, WRONG)
    assert not (await auth.check(person))["active"]
    assert (await auth.send("GET", "/v1/auth/me", person.principal)).status_code == 401


async def test_a_session_holds_until_it_is_signed_out(auth: Auth) -> None:
    person = await auth.person()
    other = await auth.sign_in(person.email)
    assert await auth.check(person) == HELD
    answer = await auth.send("POST", "/v1/auth/logout", person.principal)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await auth.check(person) == INACTIVE
    assert await auth.check(other) == HELD
    said = [
        event["session_id"]
        for event in await auth.events("session.revoked.v1")
        if event["account_id"] == person.claims.sub
    ]
    assert said == [person.claims.sid]
    again = await auth.send("POST", "/v1/auth/logout", person.principal)
    assert again.status_code == 204
    assert len(await auth.events("session.revoked.v1")) == len(said)


async def test_an_expired_session_does_not_hold(auth: Auth) -> None:
    person = await auth.person()
    await auth.sql.execute(
        "UPDATE auth.session SET expires_at = now() WHERE id = $1", person.claims.sid
    )
    assert not (await auth.check(person))["active"]


async def test_a_session_ends_with_the_membership(auth: Auth) -> None:
    person = await auth.person()
    await auth.sql.execute("DELETE FROM auth.membership WHERE org_id = $1", person.claims.org)
    assert not (await auth.check(person))["active"]
    answer = await auth.post("/v1/auth/token", email=person.email, password=PASSWORD)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "This account belongs to no organization"}


async def test_a_session_takes_the_present_role(auth: Auth) -> None:
    person = await auth.person()
    await auth.sql.execute(
        "UPDATE auth.membership SET role = 'member' WHERE org_id = $1", person.claims.org
    )
    assert (await auth.check(person))["role"] == "member"


async def test_a_platform_administrator_reaches_beyond_organizations(
    auth: Auth, root: Person
) -> None:
    assert root.claims.role == "platform_admin"
    assert await auth.check(root) == HELD | {
        "role": "platform_admin",
        "scopes": ["*", "releases:write"],
    }


@pytest.mark.parametrize("field", ["session_id", "account_id", "org_id"])
async def test_all_three_names_of_a_session_must_fit(
    auth: Auth, ada: Person, grace: Person, field: str
) -> None:
    names = {
        "session_id": ada.claims.sid,
        "account_id": ada.claims.sub,
        "org_id": ada.claims.org,
    }
    others = {
        "session_id": grace.claims.sid,
        "account_id": grace.claims.sub,
        "org_id": grace.claims.org,
    }
    answer = await auth.post(
        "/internal/sessions/check", GATEWAY, **(names | {field: others[field]})
    )
    assert answer.json() == INACTIVE


@pytest.mark.parametrize("path", ["/internal/sessions/check", "/internal/api-keys/check"])
async def test_internal_doors_open_to_services_only(auth: Auth, ada: Person, path: str) -> None:
    key = Principal(Kind.API_KEY, "key_1", ada.claims.org, "owner", ("*",), "key_1", "usr_1")
    for principal in (ada.principal, key):
        answer = await auth.post(path, principal, digest="0" * 64)
        assert answer.status_code == 401
    assert (await auth.post(path, digest="0" * 64)).status_code == 401


async def test_a_person_acts_in_the_organization_they_chose(auth: Auth, grace: Person) -> None:
    person = await auth.person()
    await auth.sql.execute(
        "INSERT INTO auth.membership (org_id, account_id, role) VALUES ($1, $2, 'member')",
        grace.claims.org,
        person.claims.sub,
    )
    assert (await auth.sign_in(person.email)).claims.org == person.claims.org
    await auth.sql.execute(
        "UPDATE auth.account SET active_org_id = $1 WHERE id = $2",
        grace.claims.org,
        person.claims.sub,
    )
    claims = (await auth.sign_in(person.email)).claims
    assert (claims.org, claims.role) == (grace.claims.org, "member")
    await auth.sql.execute("DELETE FROM auth.membership WHERE account_id = $1", person.claims.sub)


async def test_the_key_comes_first_and_the_rest_is_named(auth: Auth) -> None:
    answer = await auth.post("/v1/auth/token", email="a@b.example")
    assert answer.status_code == 422
    assert answer.json() == {
        "detail": [{"loc": ["body", "password"], "msg": "Field required", "type": "missing"}]
    }
    answer = await auth.post("/v1/auth/token")
    assert [fault["loc"][1] for fault in answer.json()["detail"]] == ["email", "password"]
    answer = await auth.post("/v1/auth/token", api_key="", email="a@b.example", password="x")
    assert answer.json() == {"detail": "Invalid or expired token"}


async def test_old_sessions_are_swept(database_urls: DatabaseUrls) -> None:
    database = await Database.connect(database_urls.url("auth"), size=2)
    try:
        async with database.connection() as connection:
            await connection.execute(
                """
                INSERT INTO auth.account (id, email, email_key, name) VALUES ('u', 'e', 'e', 'n');
                INSERT INTO auth.organization (id, name, slug) VALUES ('o', 'n', 's');
                INSERT INTO auth.session (account_id, id, org_id, expires_at)
                VALUES ('u', 'old', 'o', now() - interval '25 hours'),
                       ('u', 'over', 'o', now()), ('u', 'live', 'o', now() + interval '1 hour');
                """
            )
            await sweep(database)
            left = await connection.fetch("SELECT id FROM auth.session ORDER BY id")
        assert [row["id"] for row in left] == ["live", "over"]
    finally:
        await database.close()


async def test_all_sessions_of_a_person_end_but_one(auth: Auth) -> None:
    person, other = await auth.person(), await auth.person()
    sessions = [await auth.sign_in(person.email) for _ in range(3)]
    kept, cookie = sessions[1], hashlib.sha256(b"cookie").digest()
    await auth.sql.execute(
        "INSERT INTO auth.web_session (digest, account_id, session_id, remembered)"
        " VALUES ($1, $2, $3, true)",
        cookie,
        person.claims.sub,
        sessions[0].claims.sid,
    )
    assert await find_cookie(auth.sql, cookie) is not None
    async with auth.sql.transaction():
        ended = await end_all(
            auth.sql,
            person.claims.sub,
            except_session=kept.claims.sid,
            origin=Origin("203.0.113.9"),
            actor=person.principal,
            reason="password_changed",
        )
    assert ended == 3
    assert await find_cookie(auth.sql, cookie) is None
    assert [(await auth.check(one))["active"] for one in (person, *sessions)] == [
        False,
        False,
        True,
        False,
    ]
    assert (await auth.check(other))["active"]
    said = {
        event["session_id"]
        for event in await auth.events("session.revoked.v1")
        if event["account_id"] == person.claims.sub
    }
    assert said == {one.claims.sid for one in (person, *sessions)} - {kept.claims.sid}
    rows = await auth.sql.fetch(
        "SELECT actor_id, client, detail FROM auth.audit_event"
        " WHERE action = 'account.sessions_ended' AND target = $1",
        person.claims.sub,
    )
    assert [(row["actor_id"], row["client"]) for row in rows] == [
        (person.claims.sub, "203.0.113.9")
    ]
    assert json.loads(rows[0]["detail"]) == {"reason": "password_changed", "ended": 3}


async def test_the_last_use_is_written_once_a_minute(auth: Auth) -> None:
    person = await auth.person()
    read = "SELECT last_used_at FROM auth.session WHERE id = $1"
    row = "SELECT xmin::text FROM auth.session WHERE id = $1"
    first = await auth.sql.fetchval(read, person.claims.sid)
    await auth.check(person)
    assert await auth.sql.fetchval(read, person.claims.sid) == first
    await auth.sql.execute(
        "UPDATE auth.session SET last_used_at = now() - interval '61 seconds' WHERE id = $1",
        person.claims.sid,
    )
    before = await auth.sql.fetchval(row, person.claims.sid)
    await asyncio.gather(*(auth.check(person) for _ in range(20)))
    after = await auth.sql.fetchval(row, person.claims.sid)
    assert before != after
    assert await auth.sql.fetchval(read, person.claims.sid) > first
    await auth.check(person)
    assert await auth.sql.fetchval(row, person.claims.sid) == after


async def test_leaving_an_organization_ends_only_what_acts_in_it(auth: Auth, grace: Person) -> None:
    person = await auth.person()
    await auth.sql.execute(
        "INSERT INTO auth.membership (org_id, account_id, role) VALUES ($1, $2, 'member')",
        grace.claims.org,
        person.claims.sub,
    )
    await auth.sql.execute(
        "UPDATE auth.account SET active_org_id = $1 WHERE id = $2",
        grace.claims.org,
        person.claims.sub,
    )
    guest = await auth.sign_in(person.email)
    assert guest.claims.org == grace.claims.org
    assert (await auth.check(guest))["active"]
    await auth.sql.execute(
        "DELETE FROM auth.membership WHERE org_id = $1 AND account_id = $2",
        grace.claims.org,
        person.claims.sub,
    )
    assert await auth.check(guest) == INACTIVE
    assert (await auth.check(person))["active"]
    assert (await auth.sign_in(person.email)).claims.org == person.claims.org


async def test_who_keeps_sessions_is_asked_about_them(database_urls: DatabaseUrls) -> None:
    asked = []

    async def answer(database: Database, session_id: str, subject: str) -> SessionVerdict:
        asked.append((session_id, subject))
        return SessionVerdict(active=True, kind=Kind.SERVICE_ACCOUNT)

    database = await Database.connect(database_urls.url("auth"), size=1)
    try:
        others = SessionChecks({"sas_": answer})
        question = SessionCheck(session_id="sas_one", account_id="robot", org_id="")
        assert (await check(database, others, question)).kind == Kind.SERVICE_ACCOUNT
        question = SessionCheck(session_id="ses_one", account_id="robot", org_id="")
        assert not (await check(database, others, question)).active
    finally:
        await database.close()
    assert asked == [("sas_one", "robot")]
