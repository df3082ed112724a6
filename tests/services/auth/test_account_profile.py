from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.auth.accounts import operations as accounts
from shared.db import Database
from shared.errors import Conflict
from shared.principal import Kind, Principal
from tests.services.auth.conftest import (
    PASSWORD,
    Auth,
    Person,
    new_address,
    running,
    text_of,
    token_in,
)
from tests.services.auth.erasures_support import join, said, tables_naming
from tests.support.postgres import DatabaseServer, DatabaseUrls

DEAD = {"detail": "Invalid or expired token"}


async def patch(auth: Auth, person: Person, **fields: Any) -> httpx.Response:
    return await auth.send("PATCH", "/v1/auth/me", person.principal, json=fields)


def key_of(person: Person) -> Principal:
    claims = person.claims
    return Principal(Kind.API_KEY, "key_x", claims.org, "owner", ("*",), "key_x", claims.sub)


async def test_a_name_can_be_changed(auth: Auth) -> None:
    ada = await auth.person()
    answer = await patch(auth, ada, name="  Ada King  ")
    assert answer.status_code == 200
    assert answer.json()["name"] == "Ada King"
    me = (await auth.send("GET", "/v1/auth/me", ada.principal)).json()
    assert me == answer.json()
    row = await auth.sql.fetchrow(
        "SELECT action, outcome, detail::text FROM auth.audit_event"
        " WHERE target = $1 AND action = 'account.changed'",
        ada.claims.sub,
    )
    assert row is not None
    assert tuple(row) == ("account.changed", "done", '{"fields": ["name"]}')


async def test_nothing_else_of_an_account_can_be(auth: Auth) -> None:
    ada = await auth.person()
    before = await auth.sql.fetchrow("SELECT * FROM auth.account WHERE id = $1", ada.claims.sub)
    answer = await patch(
        auth,
        ada,
        id="usr_x",
        email="x@y.example",
        role="owner",
        org_id="org_x",
        verified=False,
        platform_admin=True,
        plan="gold",
        password="another password entirely",
        password_hash="x",
        created_at="2020-01-01T00:00:00Z",
    )
    assert answer.status_code == 200
    after = await auth.sql.fetchrow("SELECT * FROM auth.account WHERE id = $1", ada.claims.sub)
    assert after == before


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\nb", "a\u2028b", 7, ["x"], "a\x00b"])
async def test_a_bad_name_is_named(auth: Auth, ada: Person, name: Any) -> None:
    answer = await patch(auth, ada, name=name)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "name"]


async def test_the_active_organization_is_one_of_ones_own(auth: Auth) -> None:
    ada, grace = await auth.person(), await auth.person("Grace")
    mine, hers = ada.claims.org, grace.claims.org
    for org in (hers, "org_none", ""):
        answer = await patch(auth, ada, active_org_id=org, name="Must Not Stay")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert (await auth.send("GET", "/v1/auth/me", ada.principal)).json()["name"] == "Ada Lovelace"
    await join(auth, hers, ada, "member")
    answer = await patch(auth, ada, active_org_id=hers)
    assert answer.status_code == 200
    assert (answer.json()["org_id"], answer.json()["role"]) == (hers, "member")
    assert (await auth.check(ada))["active"] is True, "the session acts where it did"
    fresh = await auth.sign_in(ada.email)
    assert (fresh.claims.org, fresh.claims.role) == (hers, "member")
    page = (await auth.send("GET", "/v1/auth/organizations", ada.principal)).json()
    assert page.keys() == {"items", "total", "page", "page_size"}
    assert {(one["id"], one["role"], one["active"]) for one in page["items"]} == {
        (mine, "owner", False),
        (hers, "member", True),
    }
    assert page["total"] == 2


async def test_memberships_are_paged(auth: Auth) -> None:
    ada = await auth.person()
    for day in range(3):
        await join(auth, (await auth.person()).claims.org, ada, "member", days_ago=day + 1)
    seen = []
    for page in (1, 2, 3):
        answer = await auth.send(
            "GET",
            "/v1/auth/organizations",
            ada.principal,
            params={"page": page, "page_size": 2},
        )
        assert answer.json()["total"] == 4
        seen += [item["id"] for item in answer.json()["items"]]
    assert len(set(seen)) == len(seen) == 4
    assert seen[0] == ada.claims.org, "the last joined comes first"
    bad = await auth.send("GET", "/v1/auth/organizations", ada.principal, params={"page_size": 201})
    assert bad.status_code == 422


async def test_only_a_person_has_a_profile(auth: Auth, ada: Person) -> None:
    key = key_of(ada)
    for method, path, body in (
        ("PATCH", "/v1/auth/me", {"name": "x"}),
        ("GET", "/v1/auth/organizations", None),
        ("POST", "/v1/auth/email", {"new_email": new_address(), "password": PASSWORD}),
        ("POST", "/v1/auth/email/confirm", {"token": "email_x"}),
    ):
        assert (await auth.send(method, path, key, json=body)).status_code == 403, path
        assert (await auth.send(method, path, json=body)).status_code == 401, path


async def move(auth: Auth, person: Person, to: str, password: str = PASSWORD) -> httpx.Response:
    return await auth.post("/v1/auth/email", person.principal, new_email=to, password=password)


async def email_token(auth: Auth, address: str, count: int = 1) -> str:
    letter = (await auth.letters(address, count))[-1]
    assert letter["Subject"] == "Confirm your new email address"
    match = re.search(r"^(email_[\w-]{43})$", text_of(letter), re.MULTILINE)
    assert match is not None
    return match[1]


async def confirm(auth: Auth, person: Person, token: str) -> httpx.Response:
    return await auth.post("/v1/auth/email/confirm", person.principal, token=token)


async def test_an_account_moves_to_an_address_that_was_proved(auth: Auth) -> None:
    ada, to = await auth.person(), new_address()
    await auth.post("/v1/auth/forgot-password", email=ada.email)
    answer = await move(auth, ada, to.upper())
    assert (answer.status_code, answer.json()) == (200, {"sent": True})
    token = await email_token(auth, to.upper())
    notice = (await auth.letters(ada.email, 3))[-1]
    assert notice["Subject"] == "Your account is to move to another address"
    assert to.upper() in text_of(notice)
    assert token not in text_of(notice)
    assert (await auth.send("GET", "/v1/auth/me", ada.principal)).json()["email"] == ada.email
    done = await confirm(auth, ada, token)
    assert (done.status_code, done.json()) == (200, {"confirmed": True})
    me = (await auth.send("GET", "/v1/auth/me", ada.principal)).json()
    assert me["email"] == to.upper()
    assert (await auth.letters(ada.email, 4))[-1]["Subject"] == (
        "Your account has another address now"
    )
    await auth.sign_in(to)
    old = await auth.post("/v1/auth/token", email=ada.email, password=PASSWORD)
    assert old.status_code == 401
    assert not await auth.sql.fetchval(
        "SELECT count(*) FROM auth.password_reset WHERE account_id = $1", ada.claims.sub
    ), "what was mailed to the old address opens nothing"
    assert (await confirm(auth, ada, token)).json() == DEAD


async def test_moving_needs_the_password_and_tries_are_counted(auth: Auth) -> None:
    ada = await auth.person()
    for _ in range(3):
        answer = await move(auth, ada, new_address(), "not the right one")
        assert answer.status_code == 401
    row = await auth.sql.fetchval("SELECT max(failures) FROM auth.throttle")
    assert row >= 3
    assert (await move(auth, ada, "no address")).status_code == 422


async def test_a_token_is_its_persons_alone_and_works_once(auth: Auth) -> None:
    ada, grace, to = await auth.person(), await auth.person("Grace"), new_address()
    await move(auth, ada, to)
    token = await email_token(auth, to)
    assert (await confirm(auth, grace, token)).json() == DEAD
    answers = await asyncio.gather(*(confirm(auth, ada, token) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9


async def test_a_newer_wish_kills_the_older_and_an_hour_ends_it(auth: Auth) -> None:
    ada, first, second = await auth.person(), new_address(), new_address()
    await move(auth, ada, first)
    older = await email_token(auth, first)
    await move(auth, ada, second)
    newer = await email_token(auth, second)
    assert (await confirm(auth, ada, older)).status_code == 400
    await auth.sql.execute(
        "UPDATE auth.email_change SET expires_at = expires_at - interval '1 hour'"
        " WHERE account_id = $1",
        ada.claims.sub,
    )
    assert (await confirm(auth, ada, newer)).status_code == 400


async def test_an_address_with_an_account_is_not_told(auth: Auth) -> None:
    ada, grace = await auth.person(), await auth.person("Grace")
    answer = await move(auth, ada, grace.email)
    assert (answer.status_code, answer.json()) == (200, {"sent": True})
    assert (await auth.letters(grace.email, 2))[-1]["Subject"] == "You already have an account"


async def test_whoever_waits_at_the_address_unverified_goes(auth: Auth) -> None:
    ada, to = await auth.person(), new_address()
    await auth.register(to, name="Squatter")
    squatter = token_in((await auth.letters(to))[-1])
    await move(auth, ada, to)
    assert (await confirm(auth, ada, await email_token(auth, to, 2))).status_code == 200
    assert (await auth.post("/v1/auth/verify-email", token=squatter)).status_code == 400
    assert (await auth.sign_in(to)).claims.sub == ada.claims.sub


async def test_of_two_who_move_to_one_address_one_gets_it(auth: Auth) -> None:
    people, to = [await auth.person(name) for name in ("A", "B", "C")], new_address()
    tokens = []
    for count, person in enumerate(people, 1):
        await move(auth, person, to)
        tokens.append(await email_token(auth, to, count))
    answers = await asyncio.gather(
        *(confirm(auth, person, token) for person, token in zip(people, tokens, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]


async def test_disabling_bars_at_once_and_says_so(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with database_server.clone() as urls, running(urls, tmp_path) as auth:
        database = await Database.connect(urls.url("auth"), size=2)
        ada = await auth.person()
        root = await auth.make_platform_admin(await auth.person("Root"))
        for changed in (True, False):
            async with database.transaction() as connection:
                assert await accounts.disable(connection, ada.claims.sub) is changed
        assert (await auth.check(ada))["active"] is False
        refused = await auth.post("/v1/auth/token", email=ada.email, password=PASSWORD)
        assert (refused.status_code, refused.json()["detail"]) == (401, "Invalid email or password")
        assert len(await said(auth, "account.disabled.v1", account_id=ada.claims.sub)) == 1
        for changed in (True, False):
            async with database.transaction() as connection:
                assert await accounts.enable(connection, ada.claims.sub) is changed
        await auth.sign_in(ada.email)

        async def disable_root() -> None:
            async with database.transaction() as connection:
                await accounts.disable(connection, root.claims.sub)

        with pytest.raises(Conflict):
            await disable_root()
        assert (await auth.check(root))["active"] is True
        await database.close()


async def test_addresses_that_nobody_verified_in_a_month_are_dropped(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with running(database_urls, tmp_path) as auth:
        kept, old, again = await auth.person(), new_address(), new_address()
        for address in (old, again, fresh := new_address()):
            await auth.register(address)
        await auth.sql.execute(
            "UPDATE auth.account SET created_at = now() - interval '31 days' WHERE email <> $1",
            fresh,
        )
        await auth.sql.execute(
            "UPDATE auth.email_verification SET expires_at = now() - interval '30 days'"
        )
        await auth.register(again)
        await move(auth, kept, forgotten := new_address())
        await auth.sql.execute("UPDATE auth.email_change SET expires_at = now()")
        gone = await auth.sql.fetchval("SELECT id FROM auth.account WHERE email = $1", old)
        database = await Database.connect(database_urls.url("auth"), size=1)
        await accounts.sweep(database)
        await database.close()
        rows = await auth.sql.fetch("SELECT email FROM auth.account")
        assert {row["email"] for row in rows} == {kept.email, again, fresh}
        assert "email_change" not in await tables_naming(auth, forgotten)
        assert [event["account_id"] for event in await auth.events("account.deleted.v1")] == [gone]
