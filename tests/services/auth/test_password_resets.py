from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from services.auth.password_resets.operations import sweep
from shared.db import Database
from shared.principal import Kind, Principal
from tests.services.auth.conftest import (
    PASSWORD,
    PUBLIC_URL,
    Auth,
    Person,
    new_address,
    running,
    text_of,
)
from tests.support.postgres import DatabaseUrls

NEW = "a wholly different sentence"
DEAD = {"detail": "Invalid or expired token"}


async def reset_token(auth: Auth, address: str, count: int) -> str:
    """Give the token of the newest of so many letters."""
    letter = (await auth.letters(address, count))[-1]
    assert letter["Subject"] == "Set a new password"
    match = re.search(r"^(reset_[\w-]{43})$", text_of(letter), re.MULTILINE)
    assert match is not None, text_of(letter)
    return match[1]


async def forgot(auth: Auth, address: str, count: int = 2) -> str:
    answer = await auth.post("/v1/auth/forgot-password", email=address)
    assert (answer.status_code, answer.json()) == (200, {"sent": True})
    return await reset_token(auth, address, count)


async def reset(auth: Auth, token: str, password: str = NEW) -> Any:
    return await auth.post("/v1/auth/reset-password", token=token, new_password=password)


async def can_sign_in(auth: Auth, address: str, password: str) -> bool:
    answer = await auth.post("/v1/auth/token", email=address, password=password)
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


async def audited(auth: Auth, action: str, target: str) -> list[str]:
    rows = await auth.sql.fetch(
        "SELECT outcome FROM auth.audit_event WHERE action = $1 AND target = $2 ORDER BY id",
        action,
        target,
    )
    return [row["outcome"] for row in rows]


async def test_a_mailed_token_sets_a_password_and_ends_every_session(auth: Auth) -> None:
    ada = await auth.person()
    other = await auth.sign_in(ada.email)
    asked = await auth.post("/v1/auth/forgot-password", email=ada.email.upper())
    assert (asked.status_code, asked.json()) == (200, {"sent": True})
    token = await reset_token(auth, ada.email, 2)
    answer = await reset(auth, token)
    assert (answer.status_code, answer.json()) == (200, {"reset": True})
    for person in (ada, other):
        assert (await auth.check(person))["active"] is False
    ended = {event["session_id"] for event in await auth.events("session.revoked.v1")}
    assert {ada.claims.sid, other.claims.sid} <= ended
    assert not await can_sign_in(auth, ada.email, PASSWORD)
    assert await can_sign_in(auth, ada.email, NEW)
    letter = (await auth.letters(ada.email, 3))[-1]
    assert letter["Subject"] == "Your password was changed"
    assert NEW not in text_of(letter)
    assert await audited(auth, "password.forgotten", ada.claims.sub) == ["done"]
    assert await audited(auth, "password.reset", ada.claims.sub) == ["done"]


async def test_the_refresh_token_ends_too(auth: Auth) -> None:
    ada = await auth.person()
    answer = await auth.post("/v1/auth/token", email=ada.email, password=PASSWORD)
    refresh = answer.json()["refresh_token"]
    await reset(auth, await forgot(auth, ada.email))
    renewed = await auth.post("/v1/auth/refresh", refresh_token=refresh)
    assert renewed.status_code == 401


async def test_the_letter_links_to_the_page_of_the_public_url(auth: Auth) -> None:
    ada = await auth.person()
    await auth.send(
        "POST",
        "/v1/auth/request-password-reset",
        json={"email": ada.email},
        headers={"host": "evil.example", "x-forwarded-host": "evil.example"},
    )
    token = await reset_token(auth, ada.email, 2)
    letter = (await auth.letters(ada.email, 2))[-1]
    for subtype in ("plain", "html"):
        assert f"{PUBLIC_URL}/users/reset-password/{token}" in text_of(letter, subtype)
        assert "evil" not in text_of(letter, subtype)


async def test_the_token_is_stored_as_a_digest_only(auth: Auth) -> None:
    ada = await auth.person()
    token = await forgot(auth, ada.email)
    assert token not in str(await auth.sql.fetch("SELECT * FROM auth.password_reset"))


async def test_of_fifty_at_once_one_wins(auth: Auth) -> None:
    ada = await auth.person()
    token = await forgot(auth, ada.email)
    words = [f"a wholly different sentence {number}" for number in range(50)]
    answers = await asyncio.gather(*(reset(auth, token, word) for word in words))
    won = [word for word, answer in zip(words, answers, strict=True) if answer.status_code == 200]
    assert len(won) == 1
    assert all(a.status_code == 400 and a.json() == DEAD for a in answers if a.status_code != 200)
    assert await can_sign_in(auth, ada.email, won[0])
    await auth.letters(ada.email, 3)


async def test_a_token_expires(auth: Auth) -> None:
    ada = await auth.person()
    token = await forgot(auth, ada.email)
    left = await auth.sql.fetchval(
        "SELECT expires_at - now() FROM auth.password_reset WHERE account_id = $1", ada.claims.sub
    )
    assert 3500 < left.total_seconds() <= 3600
    await auth.sql.execute(
        "UPDATE auth.password_reset SET expires_at = now() WHERE account_id = $1", ada.claims.sub
    )
    answer = await reset(auth, token)
    assert (answer.status_code, answer.json()) == (400, DEAD)
    assert await can_sign_in(auth, ada.email, PASSWORD)


async def test_a_newer_letter_kills_the_older_one(auth: Auth) -> None:
    ada = await auth.person()
    older = await forgot(auth, ada.email)
    newer = await forgot(auth, ada.email, 3)
    assert (await reset(auth, older)).status_code == 400
    assert (await reset(auth, newer)).status_code == 200


@pytest.mark.parametrize("password", ["eleven char", "password1234", "", "x" * 1025])
async def test_a_refused_password_does_not_use_the_token_up(auth: Auth, password: str) -> None:
    ada = await auth.person()
    token = await forgot(auth, ada.email)
    answer = await reset(auth, token, password)
    assert answer.status_code == 422
    assert [fault["loc"] for fault in answer.json()["detail"]] == [["body", "new_password"]]
    assert (await auth.check(ada))["active"] is True
    assert (await reset(auth, token)).status_code == 200


@pytest.mark.parametrize("token", ["", "reset_x", "reset_" + "A" * 43, "ä" * 20, "x" * 128])
async def test_an_unknown_token(auth: Auth, token: str) -> None:
    answer = await reset(auth, token)
    assert (answer.status_code, answer.json()) == (400, DEAD)


async def test_a_reset_verifies_no_address_and_gives_no_organization(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    answer = await reset(auth, await forgot(auth, address))
    assert answer.status_code == 200
    refused = await auth.post("/v1/auth/token", email=address, password=NEW)
    assert (refused.status_code, refused.json()["detail"]) == (403, "Email not verified")


async def test_a_disabled_account_gets_no_letter_and_its_token_is_dead(auth: Auth) -> None:
    ada = await auth.person()
    token = await forgot(auth, ada.email)
    await auth.sql.execute(
        "UPDATE auth.account SET disabled_at = now() WHERE id = $1", ada.claims.sub
    )
    assert (await reset(auth, token)).status_code == 400
    answer = await auth.post("/v1/auth/forgot-password", email=ada.email)
    assert answer.json() == {"sent": True}
    last = new_address()
    await auth.register(last)
    await auth.letters(last)  # letters go in order, so one to Ada would be there by now
    assert len(await auth.letters(ada.email, 2)) == 2


async def test_a_reset_proves_an_address_that_somebody_vouched_for(auth: Auth) -> None:
    ada = await auth.person()
    await auth.sql.execute(
        "UPDATE auth.account SET vouched_by = 'org_x' WHERE id = $1", ada.claims.sub
    )
    await reset(auth, await forgot(auth, ada.email))
    row = await auth.sql.fetchrow(
        "SELECT vouched_by, updated_at > created_at AS moved FROM auth.account WHERE id = $1",
        ada.claims.sub,
    )
    assert row is not None
    assert (row["vouched_by"], row["moved"]) == (None, True)


async def test_a_reset_forgives_wrong_guesses(auth: Auth) -> None:
    ada = await auth.person()
    for number in range(11):
        headers = {"x-guildhall-client": f"192.0.2.{number}"}
        body = {"email": ada.email, "password": "a guess of somebody else"}
        last = await auth.send("POST", "/v1/auth/token", json=body, headers=headers)
    assert last.status_code == 429
    await reset(auth, await forgot(auth, ada.email))
    assert await can_sign_in(auth, ada.email, NEW)


async def test_expired_tokens_are_swept(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with running(database_urls, tmp_path) as auth:
        ada = await auth.person()
        await forgot(auth, ada.email)
        database = await Database.connect(database_urls.url("auth"), size=1)
        await sweep(database)
        assert await auth.sql.fetchval("SELECT count(*) FROM auth.password_reset") == 1
        await auth.sql.execute("UPDATE auth.password_reset SET expires_at = now()")
        await sweep(database)
        assert await auth.sql.fetchval("SELECT count(*) FROM auth.password_reset") == 0
        await database.close()


async def change(
    auth: Auth, person: Person, current: str, new: str, surface: str = "/v1", **headers: str
) -> Any:
    names = ("current_password", "new_password") if surface == "/v1" else ("current", "new")
    body = dict(zip(names, (current, new), strict=True))
    path = f"{surface}/auth/password"
    return await auth.send("POST", path, person.principal, json=body, headers=headers)


@pytest.mark.parametrize(
    ("surface", "answered"), [("/v1", {"changed": True}), ("/api/v1", {"ok": True})]
)
async def test_changing_a_password_ends_the_other_sessions(
    auth: Auth, surface: str, answered: dict[str, bool]
) -> None:
    ada = await auth.person()
    other = await auth.sign_in(ada.email)
    token = await forgot(auth, ada.email)
    answer = await change(auth, ada, PASSWORD, NEW, surface)
    assert (answer.status_code, answer.json()) == (200, answered)
    assert (await auth.check(ada))["active"] is True
    assert (await auth.check(other))["active"] is False
    assert not await can_sign_in(auth, ada.email, PASSWORD)
    assert await can_sign_in(auth, ada.email, NEW)
    assert (await auth.letters(ada.email, 3))[-1]["Subject"] == "Your password was changed"
    assert (await reset(auth, token)).status_code == 400, "what was mailed before is dead"
    assert await audited(auth, "password.changed", ada.claims.sub) == ["done"]


@pytest.mark.parametrize("surface", ["/v1", "/api/v1"])
async def test_the_old_password_must_be_right_and_tries_are_counted(
    auth: Auth, surface: str
) -> None:
    ada = await auth.person()
    client = {"x-guildhall-client": "198.51.100.7" if surface == "/v1" else "198.51.100.8"}
    for _ in range(10):
        answer = await change(auth, ada, "not the right one", NEW, surface, **client)
        assert answer.status_code == 401
        assert "current password is wrong" in answer.text
    refused = await change(auth, ada, PASSWORD, NEW, surface, **client)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 300
    login = await auth.post("/v1/auth/token", email=ada.email, password=PASSWORD)
    assert login.status_code == 429, "one counter over every surface"
    assert (await auth.check(ada))["active"] is True


async def test_a_weak_new_password_is_refused_in_each_surfaces_words(auth: Auth) -> None:
    ada = await auth.person()
    learnings = await change(auth, ada, PASSWORD, "eight ch")
    assert learnings.status_code == 422
    assert learnings.json()["detail"][0]["loc"] == ["body", "new_password"]
    runs = await change(auth, ada, PASSWORD, "seven c", "/api/v1")
    assert runs.status_code == 400
    assert runs.json()["detail"] == "new: a password needs at least 8 characters"
    assert (await change(auth, ada, PASSWORD, "eight ch", "/api/v1")).status_code == 200


async def test_two_changes_at_once_do_not_both_hold(auth: Auth) -> None:
    ada = await auth.person()
    words = [f"{NEW} {number}" for number in range(6)]
    answers = await asyncio.gather(*(change(auth, ada, PASSWORD, word) for word in words))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5


async def test_only_a_person_changes_a_password(auth: Auth, ada: Person) -> None:
    key = Principal(Kind.API_KEY, "key_x", ada.claims.org, "owner", ("*",), "key_x", ada.claims.sub)
    for surface in ("/v1", "/api/v1"):
        body = {
            "current_password": PASSWORD,
            "new_password": NEW,
            "current": PASSWORD,
            "new": NEW,
        }
        answer = await auth.send("POST", f"{surface}/auth/password", key, json=body)
        assert answer.status_code == 403
        assert (await auth.send("POST", f"{surface}/auth/password", json=body)).status_code == 401


async def test_no_secret_is_kept_in_the_audit_log(auth: Auth) -> None:
    ada = await auth.person()
    token = await forgot(auth, ada.email)
    await reset(auth, token)
    await change(auth, await auth.sign_in(ada.email, NEW), NEW, PASSWORD)
    rows = await auth.sql.fetch("SELECT to_jsonb(e) AS row FROM auth.audit_event e")
    kept = json.dumps([row["row"] for row in rows])
    for secret in (NEW, PASSWORD, token, ada.email):
        assert secret not in kept


async def test_a_login_under_way_does_not_outlive_a_reset(auth: Auth) -> None:
    """The password was right when it was checked, and is another when the session would open."""
    ada = await auth.person()
    async with auth.sql.transaction():
        await auth.sql.execute(
            "UPDATE auth.account SET password_set_at = now() WHERE id = $1", ada.claims.sub
        )
        login = asyncio.create_task(auth.post("/v1/auth/token", email=ada.email, password=PASSWORD))
        async with asyncio.timeout(20):
            while not await auth.sql.fetchval(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM"
                " pg_database WHERE datname = current_database()) OR NOT granted AND"
                " locktype = 'transactionid'"
            ):
                assert not login.done(), "nothing waits for the reset"
                await asyncio.sleep(0.01)
    assert (await login).status_code == 401
    sessions = "SELECT count(*) FROM auth.session WHERE account_id = $1"
    assert await auth.sql.fetchval(sessions, ada.claims.sub) == 1
