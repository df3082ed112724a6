"""The page of a person's settings (teams contract, section 8)."""

from __future__ import annotations

import asyncio
import base64
import re

import httpx
import pytest

from tests.services.auth.conftest import PASSWORD, Auth, Person
from tests.services.auth.device_support import (
    Browser,
    browser_of,
    linked_machine,
)
from tests.services.auth.two_factor_support import Device, enrol, state

NEW = "a wholly new pass phrase"


def said(answer: httpx.Response, path: str = "/users/settings") -> None:
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(f"{path}?done=")


async def test_the_page_shows_what_there_is(auth: Auth) -> None:
    person = await auth.person()
    machine = await linked_machine(auth, person, "laptop/1")
    browser = await browser_of(auth, person)
    page = await browser.get("/users/settings")
    assert page.status_code == 200
    for shown in (person.email, "Ada Lovelace", "laptop", machine.subject[:12] + "...", "this one"):
        assert shown in page.text
    # In a form that revokes it, and nowhere else.
    assert page.text.count(machine.subject) == 1


async def test_the_first_page_leads_to_the_others(auth: Auth, ada: Person) -> None:
    page = (await (await browser_of(auth, ada)).get("/dashboard")).text
    for path in ("/device", "/teams", "/users/settings", "/docs"):
        assert f'href="{path}"' in page


async def test_what_was_done_is_said_in_our_words_only(auth: Auth, ada: Person) -> None:
    browser = await browser_of(auth, ada)
    assert "Your name is saved." in (await browser.get("/users/settings?done=name")).text
    assert "hello" not in (await browser.get("/users/settings?done=hello")).text


async def test_a_name_is_saved(auth: Auth) -> None:
    browser = await browser_of(auth, await auth.person())
    said(await browser.post("/users/settings/name", name="  Augusta Ada King "))
    assert "Hello, Augusta Ada King" in (await browser.get("/dashboard")).text
    for name in ("", " ", "a\nb", "a" * 201):
        answer = await browser.post("/users/settings/name", name=name)
        assert answer.status_code == 422
        assert "Name: " in answer.text


async def test_a_password_is_changed_and_other_sessions_end(auth: Auth) -> None:
    person = await auth.person()
    browser, other = await browser_of(auth, person), await browser_of(auth, person)
    path = "/users/update-password"
    wrong = await browser.post(path, current_password="wrong", new_password=NEW)
    assert wrong.status_code == 401
    weak = await browser.post(path, current_password=PASSWORD, new_password="short")
    assert weak.status_code == 422
    assert "New password: " in weak.text
    said(await browser.post(path, current_password=PASSWORD, new_password=NEW))
    assert (await browser.get("/dashboard")).status_code == 200
    assert (await other.get("/dashboard")).status_code == 303
    assert not (await auth.check(person))["active"]
    answer = await Browser(auth).post("/users/log-in", email=person.email, password=NEW)
    assert answer.status_code == 303


async def test_sessions_are_listed_and_ended(auth: Auth) -> None:
    person = await auth.person()
    browser, other = await browser_of(auth, person), await browser_of(auth, person)
    page = await browser.get("/users/settings")
    sessions = re.findall(r'name="session_id" value="(ses_\w+)"', page.text)
    assert len(sessions) == 2
    assert person.claims.sid in sessions
    said(await browser.post("/users/settings/sessions/end", session_id=person.claims.sid))
    assert not (await auth.check(person))["active"]
    assert (await other.get("/dashboard")).status_code == 200
    said(await browser.post("/users/settings/sessions/end-others"))
    assert (await other.get("/dashboard")).status_code == 303
    assert (await browser.get("/dashboard")).status_code == 200


async def test_anothers_session_is_not_found(auth: Auth, ada: Person, grace: Person) -> None:
    browser = await browser_of(auth, ada)
    answer = await browser.post("/users/settings/sessions/end", session_id=grace.claims.sid)
    assert answer.status_code == 404
    assert (await auth.check(grace))["active"]


async def test_a_machine_is_revoked(auth: Auth, grace: Person) -> None:
    person = await auth.person()
    machine, foreign = await linked_machine(auth, person), await linked_machine(auth, grace)
    browser = await browser_of(auth, person)
    said(await browser.post("/users/settings/machines/revoke", token=machine.subject))
    assert "revoked " in (await browser.get("/users/settings")).text
    answer = await browser.post("/users/settings/machines/revoke", token=foreign.subject)
    assert answer.status_code == 404
    assert await auth.sql.fetchval(
        "SELECT revoked_at IS NULL FROM auth.machine WHERE token = $1", foreign.subject
    )


async def test_a_second_factor_is_switched_on_and_off(auth: Auth) -> None:
    person = await auth.person()
    browser = await browser_of(auth, person)
    page = await browser.post("/users/settings/two-factor")
    assert page.status_code == 200
    assert "<svg" in page.text
    assert " style=" not in page.text
    secret = re.search(r'<p class="mono">([A-Z2-7]+)</p>', page.text)
    assert secret is not None
    device = Device(person, base64.b32decode(secret[1] + "=" * (-len(secret[1]) % 8)))
    wrong = await browser.submit(page, totp=device.wrong_code())
    assert wrong.status_code == 400
    codes = await browser.submit(wrong, totp=device.code())
    assert codes.status_code == 200
    first = re.findall(r"<li>([a-z0-9]{5}-[a-z0-9]{5})</li>", codes.text)
    assert len(first) == 10
    assert codes.headers["cache-control"] == "no-store"
    assert (await state(auth, person))["enabled"]
    again = await browser.post("/users/settings/two-factor")
    assert again.status_code == 409
    refused = await browser.post("/users/settings/two-factor/codes", password="wrong")
    assert refused.status_code == 401
    renewed = await browser.post("/users/settings/two-factor/codes", password=PASSWORD)
    assert not set(first) & set(re.findall(r"<li>([a-z0-9-]{11})</li>", renewed.text))
    refused = await browser.post("/users/settings/two-factor/disable", password="wrong")
    assert refused.status_code == 401
    said(await browser.post("/users/settings/two-factor/disable", password=PASSWORD))
    assert not (await state(auth, person))["enabled"]


async def test_everything_that_is_held_is_downloaded(auth: Auth) -> None:
    person = await auth.person()
    browser = await browser_of(auth, person)
    answer = await browser.get("/users/settings/export")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.json()["account"]["email"] == person.email
    assert (await Browser(auth).get("/users/settings/export")).status_code == 303


async def test_an_account_is_deleted_by_one_who_knows_its_password(auth: Auth) -> None:
    person = await auth.person()
    browser = await browser_of(auth, person)
    page = await browser.get("/users/settings/delete")
    refused = await browser.submit(page, password="wrong")
    assert refused.status_code == 401
    answer = await browser.submit(refused, password=PASSWORD)
    assert answer.status_code == 200, answer.text
    assert "Goodbye" in answer.text
    assert browser.cookies == {}
    count = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.account WHERE email = $1", person.email
    )
    assert count == 0


async def test_deleting_asks_for_the_second_factor_too(auth: Auth) -> None:
    device = await enrol(auth)
    browser = Browser(auth)
    answer = await browser.post("/users/log-in", email=device.person.email, password=PASSWORD)
    await browser.submit(
        await browser.get(answer.headers["location"]), totp=device.recovery_codes[0]
    )
    page = await browser.get("/users/settings/delete")
    assert 'name="totp"' in page.text
    refused = await browser.submit(page, password=PASSWORD)
    assert refused.status_code == 401
    answer = await browser.submit(page, password=PASSWORD, totp=device.code())
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/users/update-password",
        "/users/settings/name",
        "/users/settings/sessions/end",
        "/users/settings/sessions/end-others",
        "/users/settings/machines/revoke",
        "/users/settings/two-factor",
        "/users/settings/two-factor/confirm",
        "/users/settings/two-factor/disable",
        "/users/settings/two-factor/codes",
    ],
)
async def test_a_form_of_nobody_leads_to_signing_in(auth: Auth, path: str) -> None:
    answer = await Browser(auth).post(path)
    assert answer.headers["location"] == "/users/log-in?redirect_to=/users/settings"


async def test_strange_fields_are_no_fault_of_ours(auth: Auth) -> None:
    browser = await browser_of(auth, await auth.person())
    answers = await asyncio.gather(
        *(
            browser.post(path, **dict.fromkeys(("name", "token", "session_id", "totp"), value))
            for path in (
                "/users/settings/sessions/end",
                "/users/settings/machines/revoke",
                "/users/settings/two-factor/confirm",
            )
            for value in ("", "a" * 10_000, "\U0001f600", "../..")
        )
    )
    assert {answer.status_code for answer in answers} <= {400, 404, 429}


async def test_whoever_registered_has_accepted_the_terms(auth: Auth) -> None:
    browser = await browser_of(auth, await auth.person())
    answer = await browser.get("/users/accept-terms")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    stranger = await Browser(auth).get("/users/accept-terms")
    assert stranger.status_code == 303
    assert stranger.headers["location"].startswith("/users/log-in?redirect_to=")
