"""The consent page (learnings contract, section 3.1; teams contract, section 7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.auth.conftest import PASSWORD, Auth, Person
from tests.services.auth.device_support import (
    Browser,
    approve,
    begin,
    begin_machine,
    browser_of,
    expire,
    linked_machine,
    new_machine,
    poll,
    poll_machine,
)
from tests.services.auth.test_device_approval import second_organization
from tests.services.auth.two_factor_support import enrol

PATHS = ("/device", "/auth/verify")


async def status_of(auth: Auth, code: dict[str, Any]) -> str:
    found = await auth.sql.fetchval(
        "SELECT status FROM auth.device_login WHERE user_code = $1", code["user_code"]
    )
    return str(found)


@pytest.mark.parametrize("path", PATHS)
async def test_who_is_not_signed_in_comes_back_with_the_code(
    auth: Auth, ada: Person, path: str
) -> None:
    code = await begin(auth)
    browser = Browser(auth)
    answer = await browser.get(f"{path}?code={code['user_code']}")
    location = f"/users/log-in?redirect_to={path}&code={code['user_code']}"
    assert (answer.status_code, answer.headers["location"]) == (303, location)
    page = await browser.get(location)
    assert code["user_code"] in page.text
    assert "trw-cli" not in page.text
    answer = await browser.submit(page, email=ada.email, password=PASSWORD)
    assert answer.headers["location"] == f"{path}?code={code['user_code']}"
    assert await status_of(auth, code) == "pending"


@pytest.mark.parametrize("path", PATHS)
async def test_consent_shows_who_asks_and_allowing_gives_the_key(
    auth: Auth, ada: Person, path: str
) -> None:
    code = await begin(
        auth, **{"user-agent": "trw/9.1 (linux)", "x-guildhall-client": "192.0.2.77"}
    )
    browser = await browser_of(auth, ada)
    page = await browser.get(f"{path}?code={code['user_code'].replace('-', '').lower()}")
    assert page.status_code == 200
    for shown in (code["user_code"], "trw-cli", "192.0.2.77", "trw/9.1 (linux)", ada.email):
        assert shown in page.text
    assert f'<option value="{ada.claims.org}" selected>' in page.text
    assert await status_of(auth, code) == "pending"
    answer = await browser.submit(page, choice="allow", org_id=ada.claims.org)
    assert (answer.status_code, answer.headers["location"]) == (303, "/device/allowed")
    assert (await browser.get("/device/allowed")).status_code == 200
    again = await browser.submit(page, choice="allow", org_id=ada.claims.org)
    assert (again.status_code, "allowed already" in again.text) == (200, True)
    looked = await browser.get(f"{path}?code={code['user_code']}")
    assert "allowed already" in looked.text
    assert (await poll(auth, code)).json()["user_email"] == ada.email


async def test_denying_gives_nothing(auth: Auth, ada: Person) -> None:
    code = await begin(auth)
    browser = await browser_of(auth, ada)
    page = await browser.get(f"/device?code={code['user_code']}")
    answer = await browser.submit(page, choice="deny")
    assert answer.headers["location"] == "/device/denied"
    assert (await browser.get("/device/denied")).status_code == 200
    assert "is denied" in (await browser.get(f"/device?code={code['user_code']}")).text
    assert (await poll(auth, code)).json()["error"] == "access_denied"


async def test_a_choice_that_is_none_shows_the_page_again(auth: Auth, ada: Person) -> None:
    code = await begin(auth)
    browser = await browser_of(auth, ada)
    for choice in ("", "maybe"):
        answer = await browser.post("/device", code=code["user_code"], choice=choice)
        assert (answer.status_code, "Allow this device?" in answer.text) == (200, True)
    assert await status_of(auth, code) == "pending"


async def test_the_person_chooses_the_organization(auth: Auth) -> None:
    person = await auth.person()
    second = await second_organization(auth, person)
    code = await begin(auth)
    browser = await browser_of(auth, person)
    page = await browser.get(f"/device?code={code['user_code']}")
    assert f'<option value="{second}">Second (member)</option>' in page.text
    foreign = await browser.submit(page, choice="allow", org_id="org_nowhere")
    assert foreign.status_code == 404
    await browser.submit(page, choice="allow", org_id=second)
    assert (await poll(auth, code)).json()["org_name"] == "Second"


async def test_a_machine_is_named_and_linked(auth: Auth, ada: Person) -> None:
    machine = new_machine()
    code = await begin_machine(auth, machine, "teamrc/2 (darwin)")
    browser = await browser_of(auth, ada)
    page = await browser.get(f"/auth/verify?code={code['user_code']}")
    assert machine.subject[:12] + "..." in page.text
    assert machine.subject not in page.text
    assert 'name="machine_name" value="teamrc"' in page.text
    wrong = await browser.submit(page, choice="allow", machine_name="a" * 65)
    assert wrong.status_code == 400
    assert await status_of(auth, code) == "pending"
    answer = await browser.submit(page, choice="allow", machine_name="Ada's laptop")
    assert answer.headers["location"] == "/device/allowed"
    name = await auth.sql.fetchval(
        "SELECT machine_name FROM auth.machine WHERE token = $1 AND account_id = $2",
        machine.subject,
        ada.claims.sub,
    )
    assert name == "Ada's laptop"


async def test_a_machine_of_somebody_else_fails_to_link(
    auth: Auth, ada: Person, grace: Person
) -> None:
    machine = await linked_machine(auth, grace)
    code = await begin_machine(auth, machine)
    browser = await browser_of(auth, ada)
    page = await browser.get(f"/auth/verify?code={code['user_code']}")
    for _ in range(5):
        answer = await browser.submit(page, choice="allow", machine_name="mine")
        assert answer.status_code == 409
        assert "This machine is linked to another account." in answer.text
    answer = await browser.submit(page, choice="allow", machine_name="mine")
    assert answer.status_code == 400
    assert (await poll_machine(auth, machine, code["device_code"])).status_code == 404


async def test_an_unknown_or_expired_code_leads_to_the_entry(auth: Auth) -> None:
    browser = await browser_of(auth, await auth.person())
    code = await begin(auth)
    await expire(auth, code["user_code"])
    for typed in ("AAAA-AAAA", code["user_code"]):
        answer = await browser.get(f"/device?code={typed}")
        assert answer.status_code == 400
        assert "Unknown or expired code." in answer.text
        assert '<form method="get" action="/device">' in answer.text
    empty = await browser.get("/device")
    assert (empty.status_code, "Unknown" in empty.text) == (200, False)


async def test_five_wrong_codes_block_the_entry(auth: Auth) -> None:
    browser = await browser_of(auth, await auth.person())
    code = await begin(auth)
    for _ in range(5):
        assert (await browser.get("/device?code=AAAA-AAAA")).status_code == 400
    blocked = await browser.get(f"/device?code={code['user_code']}")
    assert blocked.status_code == 429
    assert "Too many tries" in blocked.text
    assert int(blocked.headers["retry-after"]) > 0
    answer = await browser.post("/device", code=code["user_code"], choice="allow")
    assert answer.status_code == 429
    assert await status_of(auth, code) == "pending"


# Approving on the way through the login.


async def test_the_login_page_shows_the_device_and_signing_in_allows_it(
    auth: Auth, ada: Person
) -> None:
    code = await begin(auth)
    browser = Browser(auth)
    answer = await browser.get(f"/device?code={code['user_code']}&auto=1")
    location = f"/users/log-in?redirect_to=/device&code={code['user_code']}&auto=1"
    assert answer.headers["location"] == location
    page = await browser.get(location)
    assert "also allow this device" in page.text
    assert "Sign in and allow trw-cli" in page.text
    assert code["user_code"] in page.text
    by_hand = f"/users/log-in?redirect_to=/device&amp;code={code['user_code']}"
    assert f'href="{by_hand}"' in page.text
    wrong = await browser.submit(page, email=ada.email, password="wrong")
    assert await status_of(auth, code) == "pending"
    answer = await browser.submit(wrong, email=ada.email, password=PASSWORD)
    assert answer.headers["location"] == "/device/allowed"
    assert (await poll(auth, code)).json()["user_email"] == ada.email


async def test_the_second_step_shows_and_allows_it_too(auth: Auth) -> None:
    device = await enrol(auth)
    code = await begin(auth)
    browser = Browser(auth)
    page = await browser.get(f"/users/log-in?redirect_to=/device&code={code['user_code']}&auto=1")
    answer = await browser.submit(page, email=device.person.email, password=PASSWORD)
    assert await status_of(auth, code) == "pending"
    page = await browser.get(answer.headers["location"])
    assert "also allow this device" in page.text
    answer = await browser.submit(page, totp=device.code())
    assert answer.headers["location"] == "/device/allowed"
    assert await status_of(auth, code) == "approved"


async def test_whoever_is_signed_in_already_is_always_asked(auth: Auth, ada: Person) -> None:
    """Another site can open addresses in a browser, or send forms: neither approves anything."""
    code = await begin(auth)
    browser = await browser_of(auth, ada)
    address = f"/device?code={code['user_code']}&auto=1"
    for path in (
        address,
        address.replace("/device", "/auth/verify"),
        f"/users/log-in?redirect_to=/device&code={code['user_code']}&auto=1",
        f"/users/complete-login?redirect_to=/device&code={code['user_code']}&auto=1",
    ):
        answer = await browser.get(path)
        if answer.status_code == 303:
            answer = await browser.get(answer.headers["location"])
        assert await status_of(auth, code) == "pending", path
    for origin in (None, "https://evil.example", "null"):
        answer = await browser.post(
            "/users/log-in",
            origin,
            email=ada.email,
            password=PASSWORD,
            redirect_to="/device",
            code=code["user_code"],
            auto="1",
        )
        assert answer.status_code == 403
        answer = await browser.post("/device", origin, code=code["user_code"], choice="allow")
        assert answer.status_code == 403
    assert await status_of(auth, code) == "pending"


@pytest.mark.parametrize("auto", ["0", "true", "", "11"])
async def test_only_auto_1_is_meant(auth: Auth, ada: Person, auto: str) -> None:
    code = await begin(auth)
    answer = await Browser(auth).post(
        "/users/log-in",
        email=ada.email,
        password=PASSWORD,
        redirect_to="/device",
        code=code["user_code"],
        auto=auto,
    )
    assert answer.headers["location"] == f"/device?code={code['user_code']}"
    assert await status_of(auth, code) == "pending"


async def test_a_choice_of_organizations_is_made_on_the_consent_page(auth: Auth) -> None:
    person = await auth.person()
    await second_organization(auth, person)
    code = await begin(auth)
    browser = Browser(auth)
    page = await browser.get(f"/users/log-in?redirect_to=/device&code={code['user_code']}&auto=1")
    answer = await browser.submit(page, email=person.email, password=PASSWORD)
    assert answer.headers["location"] == f"/device?code={code['user_code']}"
    assert await status_of(auth, code) == "pending"


async def test_a_device_that_is_not_shown_is_not_allowed(auth: Auth, ada: Person) -> None:
    browser = Browser(auth)
    page = await browser.get("/users/log-in?redirect_to=/device&code=AAAA-AAAA&auto=1")
    assert "also allow this device" not in page.text
    assert 'name="auto"' not in page.text
    answer = await browser.submit(page, email=ada.email, password=PASSWORD)
    assert answer.headers["location"] == "/device?code=AAAA-AAAA"


async def test_guessing_on_the_login_page_ends_in_seeing_nothing(auth: Auth) -> None:
    code = await begin(auth)
    browser = Browser(auth)
    for _ in range(31):
        await browser.get("/users/log-in?redirect_to=/device&code=AAAA-AAAA&auto=1")
    page = await browser.get(f"/users/log-in?redirect_to=/device&code={code['user_code']}&auto=1")
    assert page.status_code == 200
    assert "trw-cli" not in page.text


async def test_a_path_that_carries_code_and_auto_means_the_same(auth: Auth, ada: Person) -> None:
    code = await begin(auth)
    browser = Browser(auth)
    inner = f"%2Fdevice%3Fcode%3D{code['user_code']}%26auto%3D1"
    page = await browser.get(f"/users/log-in?redirect_to={inner}")
    assert "also allow this device" in page.text
    answer = await browser.submit(page, email=ada.email, password=PASSWORD)
    assert answer.headers["location"] == "/device/allowed"


async def test_what_a_device_says_of_itself_is_escaped(auth: Auth, grace: Person) -> None:
    evil = "<script>alert('1')</script>\"'><img src=x>"
    person = await auth.person(evil)
    await auth.sql.execute(
        "UPDATE auth.organization SET name = $2 WHERE id = $1", person.claims.org, evil
    )
    code = await begin(auth, **{"user-agent": evil, "x-guildhall-client": "192.0.2.1"})
    await auth.sql.execute(
        "UPDATE auth.device_login SET client_name = $2, client = $2 WHERE user_code = $1",
        code["user_code"],
        evil,
    )
    machine = new_machine()
    link = await begin_machine(auth, machine, evil)
    browser = await browser_of(auth, person)
    stranger = Browser(auth)
    pages = [
        await browser.get(f"/device?code={code['user_code']}"),
        await browser.get(f"/device?code={link['user_code']}"),
        await browser.get("/dashboard"),
        await browser.get("/users/settings"),
        await stranger.get(f"/users/log-in?redirect_to=/device&code={code['user_code']}&auto=1"),
        await stranger.get("/users/log-in?redirect_to=/device&code=%3Cscript%3E%22'"),
        await stranger.post("/users/log-in", email=evil, password="x", code=evil),
        await stranger.post("/users/register", email=evil, name=evil, password="x"),
        await stranger.get("/accept-invite?token=%3Cscript%3E%22'%3E"),
        await browser.post(
            "/device", code=link["user_code"], choice="allow", machine_name=evil * 3
        ),
    ]
    for page in pages:
        assert page.status_code < 500
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert "\"'>" not in page.text
    assert "&lt;script&gt;" in pages[0].text


async def test_what_somebody_else_approved_is_unknown(
    auth: Auth, ada: Person, grace: Person
) -> None:
    code = await begin(auth)
    await approve(auth, grace.principal, code["user_code"])
    browser = await browser_of(auth, ada)
    answer = await browser.get(f"/device?code={code['user_code']}")
    assert (answer.status_code, "Unknown or expired code." in answer.text) == (400, True)
