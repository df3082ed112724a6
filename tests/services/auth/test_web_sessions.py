"""Browsers' sessions (teams contract, sections 1.1 and 8)."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from services.auth.web_sessions.models import NewCookie
from services.auth.web_sessions.rules import (
    clear_cookie,
    cookie_name,
    local_path,
    set_cookie,
    value_in,
)
from tests.services.auth.conftest import PUBLIC_URL, Auth, Person
from tests.services.auth.device_support import TEAMS, Browser, browser_of

NAME = "__Host-guildhall_session"


async def check(auth: Auth, cookie: str) -> dict[str, Any]:
    answer = await auth.post("/internal/web-sessions/check", TEAMS, cookie=cookie)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


async def age(auth: Auth, browser: Browser, days: int) -> None:
    digest = hashlib.sha256(browser.cookies[NAME].encode()).digest()
    await auth.sql.execute(
        "UPDATE auth.web_session SET created_at = created_at - make_interval(days => $2)"
        " WHERE digest = $1",
        digest,
        days,
    )


def lines(answer: Any) -> list[str]:
    found: list[str] = answer.headers.get_list("set-cookie")
    return found


async def test_a_cookie_tells_siblings_who_is_signed_in(auth: Auth, ada: Person) -> None:
    browser = await browser_of(auth, ada)
    found = await check(auth, f"theme=dark; {NAME}={browser.cookies[NAME]}; other=1")
    session = found.pop("session_id")
    assert session.startswith("ses_")
    assert session != ada.claims.sid
    assert found == {
        "active": True,
        "account_id": ada.claims.sub,
        "org_id": ada.claims.org,
        "role": "owner",
        "email": ada.email,
        "name": "Ada Lovelace",
    }


async def check_person(auth: Auth, **headers: str) -> dict[str, Any]:
    answer = await auth.post("/internal/people/check", TEAMS, **headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_siblings_are_told_whose_token_or_cookie_it_is(auth: Auth, ada: Person) -> None:
    browser = await browser_of(auth, ada)
    by_cookie = await check_person(auth, cookie=f"{NAME}={browser.cookies[NAME]}")
    assert (by_cookie["active"], by_cookie["by_cookie"]) == (True, True)
    found = await check_person(auth, authorization=f"bearer {ada.token}", cookie="x=y")
    assert found == {
        **by_cookie, "by_cookie": False, "session_id": ada.claims.sid
    }  # fmt: skip
    assert found["account_id"] == ada.claims.sub


async def test_a_token_that_does_not_hold_is_not_made_good_by_a_cookie(auth: Auth) -> None:
    person = await auth.person()
    browser = await browser_of(auth, person)
    cookie = f"{NAME}={browser.cookies[NAME]}"
    path = f"/v1/admin/organizations/{person.claims.org}/api-keys"
    key = (await auth.post(path, person.principal, name="k")).json()["key"]
    bought = (await auth.post("/v1/auth/token", api_key=key)).json()["access_token"]
    for text in (
        f"Bearer {person.token[:-2]}AA",
        f"Bearer {bought}",
        f"Bearer {key}",
        f"Basic {person.token}",
        person.token,
        "Bearer",
        "Bearer x.y.z",
    ):
        found = await check_person(auth, authorization=text, cookie=cookie)
        assert (found["active"], found["account_id"]) == (False, ""), text
    await auth.send("POST", "/v1/auth/logout", person.principal)
    assert not (await check_person(auth, authorization=f"Bearer {person.token}"))["active"]
    assert (await check_person(auth, cookie=cookie))["active"]
    assert not (await check_person(auth))["active"]


@pytest.mark.parametrize("cookie", ["", "x", f"{NAME}=", f"{NAME}=nonsense", "guildhall_session=x"])
async def test_a_cookie_that_is_none_tells_nothing(auth: Auth, cookie: str) -> None:
    found = await check(auth, cookie)
    assert found == {"active": False} | dict.fromkeys(
        ("account_id", "session_id", "org_id", "role", "email", "name"), ""
    )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE auth.account SET disabled_at = now() WHERE id = $1",
        "DELETE FROM auth.membership WHERE account_id = $1",
        "UPDATE auth.session SET ended_at = now() WHERE account_id = $1",
        "UPDATE auth.session SET expires_at = now() WHERE account_id = $1",
        "DELETE FROM auth.session WHERE account_id = $1",
    ],
)
async def test_a_session_that_is_over_tells_nothing(auth: Auth, change: str) -> None:
    person = await auth.person()
    browser = await browser_of(auth, person)
    cookie = f"{NAME}={browser.cookies[NAME]}"
    assert (await check(auth, cookie))["active"]
    await auth.sql.execute(change, person.claims.sub)
    assert not (await check(auth, cookie))["active"]
    assert (await browser.get("/dashboard")).status_code == 303


async def test_the_cookie_is_kept_as_a_digest(auth: Auth, ada: Person) -> None:
    browser = await browser_of(auth, ada)
    value = browser.cookies[NAME]
    assert await auth.sql.fetchval(
        "SELECT true FROM auth.web_session WHERE digest = $1",
        hashlib.sha256(value.encode()).digest(),
    )


async def test_a_remembered_cookie_lives_fourteen_days_another_as_long_as_the_browser(
    auth: Auth, ada: Person
) -> None:
    for form, wanted in (({}, ""), ({"remember": "1"}, "; Max-Age=1209600")):
        answer = await Browser(auth).log_in(ada, **form)
        (line,) = lines(answer)
        value = line.removeprefix(f"{NAME}=").partition(";")[0]
        assert line == f"{NAME}={value}; Path=/; HttpOnly; SameSite=Lax; Secure{wanted}"


async def test_a_cookie_a_week_old_is_replaced_and_its_session_lives_on(auth: Auth) -> None:
    person = await auth.person()
    browser = Browser(auth)
    await browser.log_in(person, remember="1")
    assert lines(await browser.get("/dashboard")) == []
    old = dict(browser.cookies)
    await auth.sql.execute(
        "UPDATE auth.session SET expires_at = now() + interval '1 day',"
        " created_at = created_at - interval '13 days' WHERE account_id = $1 AND kind = 'web'",
        person.claims.sub,
    )
    await age(auth, browser, 8)
    answer = await browser.get("/dashboard")
    assert answer.status_code == 200
    (line,) = lines(answer)
    assert "Max-Age=1209600" in line
    assert browser.cookies != old
    days = await auth.sql.fetchval(
        "SELECT extract(epoch FROM expires_at - now()) / 86400 FROM auth.session"
        " WHERE account_id = $1 AND kind = 'web'",
        person.claims.sub,
    )
    assert 13.9 < days <= 14
    # Requests that were under way with the old one still pass, for a minute.
    before = Browser(auth, cookies=old)
    again = await before.get("/dashboard")
    assert (again.status_code, lines(again)) == (200, [])
    await auth.sql.execute(
        "UPDATE auth.web_session SET replaced_at = now() - interval '61 seconds' WHERE digest = $1",
        hashlib.sha256(old[NAME].encode()).digest(),
    )
    assert (await Browser(auth, cookies=old).get("/dashboard")).status_code == 303
    assert (await browser.get("/dashboard")).status_code == 200


async def test_a_session_lives_half_a_year_at_most(auth: Auth) -> None:
    person = await auth.person()
    browser = Browser(auth)
    await browser.log_in(person, remember="1")
    await auth.sql.execute(
        "UPDATE auth.session SET created_at = created_at - interval '175 days'"
        " WHERE account_id = $1 AND kind = 'web'",
        person.claims.sub,
    )
    await auth.sql.execute(
        "UPDATE auth.session SET expires_at = now() + interval '1 day' WHERE account_id = $1",
        person.claims.sub,
    )
    await age(auth, browser, 8)
    await browser.get("/dashboard")
    days = await auth.sql.fetchval(
        "SELECT extract(epoch FROM expires_at - now()) / 86400 FROM auth.session"
        " WHERE account_id = $1 AND kind = 'web'",
        person.claims.sub,
    )
    assert 4.9 < days <= 5


async def test_of_many_tabs_one_replaces_the_cookie(auth: Auth) -> None:
    person = await auth.person()
    browser = await browser_of(auth, person)
    await age(auth, browser, 8)
    tabs = [Browser(auth, cookies=dict(browser.cookies)) for _ in range(10)]
    answers = await asyncio.gather(*(tab.get("/dashboard") for tab in tabs))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(len(lines(answer)) for answer in answers) == 1


async def test_use_is_noted_once_a_minute(auth: Auth) -> None:
    person = await auth.person()
    browser = await browser_of(auth, person)
    read = "SELECT last_used_at FROM auth.session WHERE account_id = $1 AND kind = 'web'"
    first = await auth.sql.fetchval(read, person.claims.sub)
    await browser.get("/dashboard")
    assert await auth.sql.fetchval(read, person.claims.sub) == first
    await auth.sql.execute(
        "UPDATE auth.session SET last_used_at = now() - interval '2 minutes'"
        " WHERE account_id = $1 AND kind = 'web'",
        person.claims.sub,
    )
    await browser.get("/dashboard")
    assert await auth.sql.fetchval(read, person.claims.sub) > first


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/ /evil.example",
        " //evil.example",
        "evil.example",
        "",
        "/ä",
        "/" + "a" * 1000,
        "/\u2028",
        "\x00/",
        "?x",
    ],
)
def test_only_a_path_of_ours_is_gone_on_to(path: str) -> None:
    assert local_path(path) == "/dashboard"


@pytest.mark.parametrize("path", ["/", "/device?code=WDJB-MJHT&auto=1", "/a//b", "/a?b=//c", "/@x"])
def test_a_path_of_ours_stays(path: str) -> None:
    assert local_path(path) == path


def test_over_http_the_cookie_has_a_plain_name() -> None:
    assert cookie_name("http://127.0.0.1:8000") == "guildhall_session"
    assert "Secure" not in set_cookie(NewCookie("x", None), "http://127.0.0.1:8000")
    assert clear_cookie(PUBLIC_URL).endswith("Secure; Max-Age=0")


def test_other_sites_cookies_do_not_hide_ours() -> None:
    headers = {"cookie": f'bad[name]={{"a":1}}; =; ;; {NAME}=value; x="y'}
    assert value_in(headers, PUBLIC_URL) == "value"
    assert value_in({"cookie": f"x{NAME}=value"}, PUBLIC_URL) is None
    assert value_in({"cookie": "a" * 20_000 + f"; {NAME}=value"}, PUBLIC_URL) is None
