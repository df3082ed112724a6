"""The account routes of the teams surface, for a browser and for a bearer token."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from shared.principal import CLIENT_HEADER
from tests.services.auth.conftest import PUBLIC_URL, Auth
from tests.services.auth.device_support import Browser, browser_of, linked_machine
from tests.services.auth.erasures_support import gone, said


async def delete(browser: Browser, origin: str | None = PUBLIC_URL) -> httpx.Response:
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"cookie": cookie, CLIENT_HEADER: browser.client}
    if origin is not None:
        headers["origin"] = origin
    return await browser.auth.send("DELETE", "/api/account", headers=headers)


@pytest.mark.parametrize("by_cookie", [True, False])
async def test_an_account_and_its_machines(auth: Auth, by_cookie: bool) -> None:
    ada = await auth.person()
    machine, revoked = await linked_machine(auth, ada), await linked_machine(auth, ada)
    await auth.send("DELETE", f"/api/account/machines/{revoked.subject}", ada.principal)
    if by_cookie:
        answer = await (await browser_of(auth, ada)).get("/api/account")
    else:
        answer = await auth.send("GET", "/api/account", ada.principal)
    assert answer.status_code == 200
    assert answer.headers["x-pii-access"] == "true"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"account", "machines"}
    assert body["account"] == {"id": ada.claims.sub, "email": ada.email}
    assert all(
        one.keys() == {"id", "machine_name", "token", "last_seen_at", "revoked_at"}
        for one in body["machines"]
    )
    shown = {one["token"]: one["revoked_at"] is not None for one in body["machines"]}
    assert shown == {machine.subject[:12] + "...": False, revoked.subject[:12] + "...": True}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/account"), ("GET", "/api/account/export"), ("DELETE", "/api/account")],
)
async def test_nobody_is_told_so(auth: Auth, method: str, path: str) -> None:
    for headers in ({}, {"cookie": "__Host-guildhall_session=" + "A" * 43}):
        answer = await auth.send(method, path, headers={**headers, "origin": PUBLIC_URL})
        assert answer.status_code == 401
        assert "authentication required" in answer.text
        assert answer.headers["x-pii-access"] == "true"


async def test_a_browser_deletes_the_account_from_our_own_pages_only(auth: Auth) -> None:
    ada = await auth.person()
    browser = await browser_of(auth, ada)
    missing = await delete(browser, origin=None)
    assert (missing.status_code, missing.json()) == (403, {"error": "missing_origin"})
    for origin in ("https://evil.example", "null", PUBLIC_URL + ".evil.example"):
        foreign = await delete(browser, origin)
        assert (foreign.status_code, foreign.json()) == (403, {"error": "origin_mismatch"})
        assert foreign.headers["x-pii-access"] == "true"
    assert (await auth.check(ada))["active"] is True
    answer = await delete(browser)
    assert (answer.status_code, answer.json()) == (200, {"status": "deleted"})
    assert answer.headers["x-pii-access"] == "true"
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await auth.check(ada))["active"] is False
    for path in ("/api/account", "/api/account/export"):
        assert (await browser.get(path)).status_code == 401
    assert (await delete(browser)).status_code == 401


async def test_a_bearer_needs_no_origin(auth: Auth) -> None:
    ada = await auth.person()
    answer = await auth.send("DELETE", "/api/account", ada.principal)
    assert (answer.status_code, answer.json()) == (200, {"status": "deleted"})
    again = await auth.send("DELETE", "/api/account", ada.principal)
    assert (again.status_code, again.json()) == (404, {"error": "account_not_found"})
    read = await auth.send("GET", "/api/account", ada.principal)
    assert (read.status_code, read.json()) == (404, {"error": "account_not_found"})


async def test_what_fails_is_not_half_done_and_may_be_repeated(auth: Auth) -> None:
    ada = await auth.person()
    machine = await linked_machine(auth, ada)
    before = await left_of(auth, ada.claims.sub)
    await auth.sql.execute(
        """
        CREATE FUNCTION auth.fail_for_a_test() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the disk of % is full', OLD.email; END $$;
        CREATE TRIGGER fail_for_a_test BEFORE DELETE ON auth.account
            FOR EACH ROW EXECUTE FUNCTION auth.fail_for_a_test();
        """
    )
    try:
        answer = await auth.send("DELETE", "/api/account", ada.principal)
    finally:
        await auth.sql.execute(
            "DROP TRIGGER fail_for_a_test ON auth.account; DROP FUNCTION auth.fail_for_a_test()"
        )
    assert (answer.status_code, answer.json()) == (500, {"error": "deletion_failed"})
    assert answer.headers["x-pii-access"] == "true"
    assert await left_of(auth, ada.claims.sub) == before
    assert not await said(auth, "machine.revoked.v1", token=machine.subject)
    assert not await said(auth, "account.deleted.v1", account_id=ada.claims.sub)
    assert (await auth.send("DELETE", "/api/account", ada.principal)).status_code == 200


async def test_teams_is_told_before_an_account_goes(auth: Auth) -> None:
    ada = await auth.person()
    machine = await linked_machine(auth, ada)
    before = await left_of(auth, ada.claims.sub)
    auth.teams.status = 503
    try:
        answer = await auth.send("DELETE", "/api/account", ada.principal)
    finally:
        auth.teams.status = 200
    assert (answer.status_code, answer.json()) == (500, {"error": "deletion_failed"})
    assert answer.headers["x-pii-access"] == "true"
    assert await left_of(auth, ada.claims.sub) == before
    assert not await said(auth, "account.deleted.v1", account_id=ada.claims.sub)
    assert (await auth.send("DELETE", "/api/account", ada.principal)).status_code == 200
    told = {"tokens": [machine.subject], "without_owner": ada.claims.sub}
    assert [one for one in auth.teams.dropped if one == told] == [told, told]


async def test_on_other_surfaces_teams_may_hear_of_it_later(auth: Auth) -> None:
    ada, grace = await auth.person(), await auth.person()
    machine = await linked_machine(auth, ada)
    await gone(auth, ada)
    told = {"tokens": [machine.subject], "without_owner": ada.claims.sub}
    assert told in auth.teams.dropped
    auth.teams.status = 503
    try:
        await gone(auth, grace)
    finally:
        auth.teams.status = 200
    assert await said(auth, "account.deleted.v1", account_id=grace.claims.sub)


async def left_of(auth: Auth, account_id: str) -> list[Any]:
    """Give what makes up an account."""
    counts = []
    for table in ("membership", "session", "machine"):
        query = f"SELECT count(*) FROM auth.{table} WHERE account_id = $1"  # noqa: S608 - constants
        counts.append(await auth.sql.fetchval(query, account_id))
    return [*counts, await auth.sql.fetchval("SELECT count(*) FROM auth.erasure")]


async def test_both_surfaces_at_once_delete_once(auth: Auth) -> None:
    ada = await auth.person()
    browser = await browser_of(auth, ada)
    answers = await asyncio.gather(
        *(auth.send("DELETE", "/api/account", ada.principal) for _ in range(6)),
        *(delete(browser) for _ in range(6)),
    )
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 200
    assert set(codes[1:]) <= {401, 404}
    assert len(await said(auth, "account.deleted.v1", account_id=ada.claims.sub)) == 1
