"""The pages to sign in and out (teams contract, section 8)."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from tests.services.auth.conftest import PASSWORD, PUBLIC_URL, Auth, Person, new_address, text_of
from tests.services.auth.device_support import TEAMS, Browser, browser_of
from tests.services.auth.two_factor_support import enrol, let_steps_pass

SESSION = "__Host-guildhall_session"
LINK = re.compile(rf"^{re.escape(PUBLIC_URL)}(/users/log-in/[\w-]{{43}})\r?$", re.MULTILINE)


async def signed_in_as(auth: Auth, browser: Browser) -> str:
    cookie = f"{SESSION}={browser.cookies.get(SESSION, '')}"
    answer = await auth.post("/internal/web-sessions/check", TEAMS, cookie=cookie)
    return str(answer.json()["email"])


async def test_the_page_loads_nothing_runs_nothing_and_is_not_framed(auth: Auth) -> None:
    answer = await Browser(auth).get("/users/log-in")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    for address in re.findall(r'(?:src|href)="([^"]*)"', answer.text):
        assert address.startswith("/")


async def test_signing_in_sets_a_cookie_and_leads_home(auth: Auth, ada: Person) -> None:
    browser = Browser(auth)
    page = await browser.get("/users/log-in")
    answer = await browser.submit(page, email=ada.email, password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    home = await browser.get("/dashboard")
    assert home.status_code == 200
    assert ada.email in home.text


async def test_who_is_signed_in_goes_on(auth: Auth, ada: Person) -> None:
    browser = await browser_of(auth, ada)
    for path, location in (
        ("/users/log-in", "/dashboard"),
        ("/users/log-in?redirect_to=/users/settings", "/users/settings"),
        ("/users/log-in?redirect_to=//evil.example", "/dashboard"),
    ):
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, location)


@pytest.mark.parametrize("path", ["/dashboard", "/users/settings", "/device", "/auth/verify"])
async def test_who_is_not_signed_in_signs_in_first(auth: Auth, ada: Person, path: str) -> None:
    browser = Browser(auth)
    answer = await browser.get(path)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/users/log-in?redirect_to={path}",
    )
    page = await browser.get(answer.headers["location"])
    answer = await browser.submit(page, email=ada.email, password=PASSWORD)
    assert answer.headers["location"] == path


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:0",
    ],
)
async def test_a_login_never_leads_away(auth: Auth, ada: Person, path: str) -> None:
    browser = Browser(auth)
    page = await browser.get(f"/users/log-in?redirect_to={quote(path)}")
    assert "evil" not in page.text
    answer = await browser.submit(page, email=ada.email, password=PASSWORD)
    assert answer.headers["location"] == "/dashboard"
    answer = await Browser(auth).post(
        "/users/log-in", email=ada.email, password=PASSWORD, redirect_to=path
    )
    assert answer.headers["location"] == "/dashboard"


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", PUBLIC_URL + ":444"])
@pytest.mark.parametrize(
    "path",
    [
        "/users/log-in",
        "/users/log-in/token",
        "/users/complete-login",
        "/users/log-out",
        "/users/register",
        "/users/forgot-password",
        "/users/reset-password/token",
        "/users/update-password",
        "/users/settings/name",
        "/users/settings/delete",
        "/users/settings/two-factor",
        "/device",
        "/auth/verify",
        "/accept-invite",
    ],
)
async def test_a_form_of_another_site_is_refused(
    auth: Auth, ada: Person, path: str, origin: str | None
) -> None:
    browser = await browser_of(auth, ada)
    answer = await browser.post(path, origin, email=ada.email, password=PASSWORD)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "did not come from a page of this site" in answer.text
    assert await signed_in_as(auth, browser) == ada.email


async def test_a_wrong_password_and_an_unknown_address_look_alike(auth: Auth, ada: Person) -> None:
    answers = []
    for email in (ada.email, new_address()):
        browser = Browser(auth)
        answer = await browser.post("/users/log-in", email=email, password="wrong")
        answers.append((answer.status_code, answer.text.replace(email, ""), set(answer.headers)))
        assert browser.cookies == {}
    assert answers[0] == answers[1]
    assert answers[0][0] == 401
    assert "Invalid email or password." in answers[0][1]


async def test_tries_are_counted_with_those_of_every_surface(auth: Auth) -> None:
    person = await auth.person()
    for _ in range(10):
        answer = await Browser(auth).post("/users/log-in", email=person.email, password="wrong")
        assert answer.status_code == 401
    answer = await Browser(auth).post("/users/log-in", email=person.email, password=PASSWORD)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "Too many tries" in answer.text
    token = await auth.post("/v1/auth/token", email=person.email, password=PASSWORD)
    assert token.status_code == 429


async def test_an_address_that_is_not_verified_does_not_sign_in(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    answer = await Browser(auth).post("/users/log-in", email=address, password=PASSWORD)
    assert answer.status_code == 403
    assert "Email not verified" in answer.text


async def test_the_second_step_asks_for_a_code(auth: Auth) -> None:
    device = await enrol(auth)
    browser = Browser(auth)
    page = await browser.get("/users/log-in?redirect_to=/users/settings")
    answer = await browser.submit(page, email=device.person.email, password=PASSWORD, remember="1")
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert urlsplit(location).path == "/users/complete-login"
    assert parse_qs(urlsplit(location).query) == {
        "redirect_to": ["/users/settings"],
        "remember": ["1"],
    }
    assert SESSION not in browser.cookies
    (line,) = answer.headers.get_list("set-cookie")
    assert line.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=300")
    page = await browser.get(location)
    wrong = await browser.submit(page, totp=device.wrong_code())
    assert wrong.status_code == 401
    assert "Invalid code." in wrong.text
    answer = await browser.submit(wrong, totp=device.code())
    assert (answer.status_code, answer.headers["location"]) == (303, "/users/settings")
    assert "Max-Age=1209600" in answer.headers["set-cookie"]
    assert await signed_in_as(auth, browser) == device.person.email
    await let_steps_pass(auth, device)
    again = await browser.submit(page, totp=device.code())
    assert again.status_code == 401
    assert "too long ago" in again.text


async def test_a_recovery_code_passes_the_second_step(auth: Auth) -> None:
    device = await enrol(auth)
    browser = Browser(auth)
    answer = await browser.post("/users/log-in", email=device.person.email, password=PASSWORD)
    page = await browser.get(answer.headers["location"])
    answer = await browser.submit(page, totp=device.recovery_codes[0])
    assert answer.headers["location"] == "/dashboard"


async def test_the_second_step_alone_leads_to_the_first(auth: Auth) -> None:
    browser = Browser(auth)
    answer = await browser.get("/users/complete-login?redirect_to=/users/settings")
    assert answer.headers["location"] == "/users/log-in?redirect_to=/users/settings"
    answer = await browser.post("/users/complete-login", totp="000000")
    assert answer.status_code == 401


async def test_signing_out_ends_the_session_everywhere(auth: Auth, ada: Person) -> None:
    for method in ("POST", "DELETE"):
        browser = await browser_of(auth, ada)
        value = browser.cookies[SESSION]
        headers = {"origin": PUBLIC_URL, "cookie": f"{SESSION}={value}"}
        answer = await auth.send(method, "/users/log-out", headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, "/users/log-in")
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await browser.get("/dashboard")).status_code == 303
    assert (await Browser(auth).post("/users/log-out")).status_code == 303


async def test_signing_in_again_ends_the_session_before(auth: Auth, ada: Person) -> None:
    browser = await browser_of(auth, ada)
    before = Browser(auth, cookies=dict(browser.cookies))
    await browser.log_in(ada)
    assert before.cookies != browser.cookies
    assert (await before.get("/dashboard")).status_code == 303
    assert (await browser.get("/dashboard")).status_code == 200


async def link_to(auth: Auth, address: str, count: int) -> str:
    letter = (await auth.letters(address, count))[-1]
    match = LINK.search(text_of(letter))
    assert match is not None, text_of(letter)
    return match[1]


async def test_a_link_signs_in_once(auth: Auth) -> None:
    person = await auth.person()
    browser = Browser(auth)
    answer = await browser.post("/users/log-in", email=person.email.upper(), by="link")
    assert answer.status_code == 200
    path = await link_to(auth, person.email, 2)
    # A scanner that opens the link uses nothing up.
    for _ in range(3):
        page = await Browser(auth).get(path)
        assert page.status_code == 200
    browsers = [Browser(auth) for _ in range(20)]
    answers = await asyncio.gather(*(one.submit(page) for one in browsers))
    assert sorted(answer.status_code for answer in answers) == [303] + [400] * 19
    winner = next(one for one, answer in zip(browsers, answers, strict=True) if answer.is_redirect)
    assert await signed_in_as(auth, winner) == person.email
    refused = next(answer for answer in answers if answer.status_code == 400)
    assert "Invalid or expired link" in refused.text


async def test_a_link_asks_for_the_second_factor_too(auth: Auth) -> None:
    device = await enrol(auth)
    browser = Browser(auth)
    await browser.post("/users/log-in", email=device.person.email, by="link")
    path = await link_to(auth, device.person.email, 3)
    answer = await browser.submit(await browser.get(path))
    assert urlsplit(answer.headers["location"]).path == "/users/complete-login"
    assert SESSION not in browser.cookies
    page = await browser.get(answer.headers["location"])
    answer = await browser.submit(page, totp=device.code())
    assert await signed_in_as(auth, browser) == device.person.email


async def test_a_newer_link_kills_the_older_and_letters_come_once_a_minute(auth: Auth) -> None:
    person = await auth.person()
    await Browser(auth).post("/users/log-in", email=person.email, by="link")
    first = await link_to(auth, person.email, 2)
    await Browser(auth).post("/users/log-in", email=person.email, by="link")
    await auth.sql.execute(
        "UPDATE auth.sign_in_link SET created_at = now() - interval '61 s' WHERE account_id = $1",
        person.claims.sub,
    )
    await Browser(auth).post("/users/log-in", email=person.email, by="link")
    second = await link_to(auth, person.email, 3)
    assert first != second
    assert len(await auth.letters(person.email, 3)) == 3
    for path, status in ((first, 400), (second, 303)):
        browser = Browser(auth)
        answer = await browser.submit(await browser.get(path))
        assert answer.status_code == status


async def test_a_link_is_good_for_a_quarter_of_an_hour(auth: Auth) -> None:
    person = await auth.person()
    browser = Browser(auth)
    await browser.post("/users/log-in", email=person.email, by="link")
    path = await link_to(auth, person.email, 2)
    left = await auth.sql.fetchval(
        "SELECT extract(epoch FROM expires_at - now()) FROM auth.sign_in_link"
        " WHERE account_id = $1",
        person.claims.sub,
    )
    assert 800 < left <= 900
    await auth.sql.execute(
        "UPDATE auth.sign_in_link SET expires_at = now() WHERE account_id = $1", person.claims.sub
    )
    answer = await browser.submit(await browser.get(path))
    assert answer.status_code == 400


async def test_asking_for_a_link_says_nothing_of_who_is_there(auth: Auth, ada: Person) -> None:
    unverified, disabled = new_address(), await auth.person()
    await auth.register(unverified)
    await auth.sql.execute(
        "UPDATE auth.account SET disabled_at = now() WHERE id = $1", disabled.claims.sub
    )
    seen = set()
    for email in (ada.email, new_address(), unverified, disabled.email, "nonsense", ""):
        answer = await Browser(auth).post("/users/log-in", email=email, by="link")
        headers = frozenset(set(answer.headers) - {"x-request-id"})
        seen.add((answer.status_code, answer.text, headers))
    ((status, _, _),) = seen
    assert status == 200
    count = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.sign_in_link l JOIN auth.account a ON a.id = l.account_id"
        " WHERE a.email IN ($1, $2)",
        unverified,
        disabled.email,
    )
    assert count == 0


@pytest.mark.parametrize("path", ["/users/log-in/x", f"/users/log-in/{'a' * 43}"])
async def test_an_unknown_link_is_refused(auth: Auth, path: str) -> None:
    browser = Browser(auth)
    page = await browser.get(path)
    assert page.status_code == 200
    answer = await browser.submit(page)
    assert answer.status_code == 400
    assert browser.cookies == {}


async def test_a_form_without_anything_is_answered(auth: Auth) -> None:
    answer: httpx.Response = await Browser(auth).post("/users/log-in")
    assert answer.status_code == 401


@pytest.mark.parametrize("field", ["email", "password", "redirect_to", "code"])
async def test_a_huge_or_strange_field_is_no_fault_of_ours(auth: Auth, field: str) -> None:
    for value in ("a" * 20_000, "\x00", "\ud7ff\U0001f600", "%", "<script>"):
        answer = await Browser(auth).post("/users/log-in", **{field: value})
        assert answer.status_code in (400, 401, 422, 429), answer.text
    answer = await Browser(auth).post("/users/log-in", email="a" * 70_000)
    assert answer.status_code == 413
