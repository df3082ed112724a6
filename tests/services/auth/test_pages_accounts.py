"""The pages to register, to reset a password, and to join by an invitation."""

from __future__ import annotations

import re

import pytest

from tests.services.auth.conftest import PASSWORD, PUBLIC_URL, Auth, Person, new_address, text_of
from tests.services.auth.device_support import Browser, browser_of
from tests.services.auth.people_support import invitation_token, invite

RESET = re.compile(rf"{re.escape(PUBLIC_URL)}(/users/reset-password/[\w-]+)")
NEW = "a wholly new pass phrase"


async def reset_path(auth: Auth, address: str, count: int) -> str:
    match = RESET.search(text_of((await auth.letters(address, count))[-1]))
    assert match is not None
    return match[1]


async def test_registering_writes_a_letter(auth: Auth) -> None:
    address, browser = new_address(), Browser(auth)
    page = await browser.get("/users/register")
    answer = await browser.submit(page, name="Ada", email=address, password=PASSWORD)
    assert answer.status_code == 200
    assert address in answer.text
    token = await auth.token_for(address)
    assert (await auth.post("/v1/auth/verify-email", token=token)).status_code == 200
    answer = await browser.post("/users/log-in", email=address, password=PASSWORD)
    assert answer.status_code == 303


async def test_a_known_address_looks_like_a_new_one(auth: Auth, ada: Person) -> None:
    answers = []
    for address in (ada.email, new_address()):
        answer = await Browser(auth).post(
            "/users/register", name="Ada", email=address, password=PASSWORD
        )
        answers.append((answer.status_code, answer.text.replace(address, "")))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"email": "nonsense"}, "Email address"),
        ({"email": ""}, "Email address"),
        ({"password": "short"}, "Password"),
        ({"password": "password1234"}, "Password"),
        ({"name": " "}, "Name"),
        ({"name": "a\nb"}, "Name"),
    ],
)
async def test_what_is_wrong_is_named_and_what_was_typed_stays(
    auth: Auth, changes: dict[str, str], word: str
) -> None:
    form = {"name": "Ada Lovelace", "email": new_address(), "password": PASSWORD} | changes
    answer = await Browser(auth).post("/users/register", **form)
    assert answer.status_code == 422
    assert f"{word}: " in answer.text
    assert form["password"] not in answer.text
    assert f'value="{form["email"]}"' in answer.text


async def test_further_fields_change_nothing(auth: Auth) -> None:
    address = new_address()
    await Browser(auth).post(
        "/users/register",
        name="Eve",
        email=address,
        password=PASSWORD,
        platform_admin="1",
        verified="1",
        id="usr_1",
        role="owner",
    )
    row = await auth.sql.fetchrow("SELECT * FROM auth.account WHERE email = $1", address)
    assert row is not None
    assert (row["platform_admin"], row["verified_at"], row["id"] == "usr_1") == (False, None, False)


async def test_a_lost_password_is_set_anew_and_every_session_ends(auth: Auth) -> None:
    person = await auth.person()
    signed_in = await browser_of(auth, person)
    browser = Browser(auth)
    page = await browser.get("/users/forgot-password")
    answer = await browser.submit(page, email=person.email)
    assert answer.status_code == 200
    path = await reset_path(auth, person.email, 2)
    for _ in range(2):
        page = await browser.get(path)
        assert page.status_code == 200
    weak = await browser.submit(page, new_password="short")
    assert weak.status_code == 422
    assert "New password: " in weak.text
    answer = await browser.submit(weak, new_password=NEW)
    assert answer.status_code == 200
    assert (await signed_in.get("/dashboard")).status_code == 303
    again = await browser.submit(page, new_password=NEW)
    assert again.status_code == 400
    assert "does not work any more" in again.text
    assert (await browser.get(path)).status_code == 400
    for password, status in ((PASSWORD, 401), (NEW, 303)):
        answer = await Browser(auth).post("/users/log-in", email=person.email, password=password)
        assert answer.status_code == status


async def test_asking_for_a_new_password_says_nothing_of_who_is_there(
    auth: Auth, ada: Person
) -> None:
    seen = set()
    for email in (ada.email, new_address(), "nonsense", ""):
        answer = await Browser(auth).post("/users/forgot-password", email=email)
        seen.add((answer.status_code, answer.text))
    ((status, _),) = seen
    assert status == 200


@pytest.mark.parametrize("token", ["x", "reset_" + "a" * 43])
async def test_an_unknown_link_does_not_work(auth: Auth, token: str) -> None:
    browser = Browser(auth)
    answer = await browser.get(f"/users/reset-password/{token}")
    assert answer.status_code == 400
    answer = await browser.post(f"/users/reset-password/{token}", new_password=NEW)
    assert answer.status_code == 400


async def test_an_invitation_is_accepted_on_its_page(auth: Auth) -> None:
    admin, address = await auth.person(), new_address()
    await invite(auth, admin, address)
    token = await invitation_token(auth, address)
    browser = Browser(auth)
    page = await browser.get(f"/accept-invite?token={token}")
    assert page.status_code == 200
    weak = await browser.submit(page, name="New", password="short")
    assert weak.status_code in (400, 422)
    answer = await browser.submit(weak, name="New Person", password=NEW)
    assert answer.status_code == 200, answer.text
    answer = await browser.post("/users/log-in", email=address, password=NEW)
    assert answer.status_code == 303
    again = await browser.submit(page, name="New", password=NEW)
    assert again.status_code in (400, 404, 409)
