from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from tests.services.auth.conftest import Auth, Person, new_address, text_of
from tests.services.auth.people_support import audit_of

LIST = "/v1/admin/waitlist"
NEW = "a pass phrase of my own"


async def join(auth: Auth, address: str) -> str:
    """Let an address wait, and give the id that admins know it by."""
    answer = await auth.post("/v1/waitlist", email=address)
    assert (answer.status_code, answer.json()) == (200, {"joined": True})
    found: str = await auth.sql.fetchval(
        "SELECT id FROM auth.waiting_person WHERE lower(email) = lower($1)", address
    )
    return found


async def test_joining_answers_alike_whoever_asks(auth: Auth, ada: Person) -> None:
    address = new_address()
    first = await join(auth, address)
    assert await join(auth, address.upper()) == first
    await join(auth, ada.email)
    emails = await auth.sql.fetch("SELECT email FROM auth.waiting_person WHERE id = $1", first)
    assert [row["email"] for row in emails] == [address]


async def test_many_at_once_are_one(auth: Auth) -> None:
    address = new_address()
    answers = await asyncio.gather(*(auth.post("/v1/waitlist", email=address) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    found = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.waiting_person WHERE email = $1", address
    )
    assert found == 1


@pytest.mark.parametrize("body", [{}, {"email": "nobody"}, {"email": 5}, {"email": "a\x00@b.de"}])
async def test_a_bad_address_is_named(auth: Auth, body: dict[str, Any]) -> None:
    answer = await auth.post("/v1/waitlist", **body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", "email"]


async def test_the_list_is_for_platform_administrators(
    auth: Auth, root: Person, ada: Person
) -> None:
    addresses = [new_address() for _ in range(3)]
    for address in addresses:
        await join(auth, address)
    answer = await auth.send("GET", f"{LIST}?page_size=2", root.principal)
    body = answer.json()
    assert [item["email"] for item in body["items"]] == [addresses[2], addresses[1]]
    assert set(body["items"][0]) == {"id", "email", "signed_up_at", "converted_at"}
    assert body["items"][0]["converted_at"] is None
    assert (body["page"], body["page_size"]) == (1, 2)
    assert body["total"] >= 3
    assert (await auth.send("GET", LIST, ada.principal)).status_code == 403
    assert (await auth.send("GET", LIST)).status_code == 401
    refused = await auth.post(f"{LIST}/wait_x/convert", ada.principal)
    assert refused.status_code == 403


async def test_converting_lets_somebody_in(auth: Auth, root: Person) -> None:
    address = new_address()
    waiting = await join(auth, address)
    answer = await auth.post(f"{LIST}/{waiting}/convert", root.principal)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"user_id", "org_id", "key"}
    token = (await auth.post("/v1/auth/token", api_key=body["key"])).json()["access_token"]
    claims = await auth.claims_of(token)
    assert (claims.sub, claims.org, claims.role) == (body["user_id"], body["org_id"], "owner")
    assert claims.scopes == ("*",)
    account = await auth.sql.fetchrow("SELECT * FROM auth.account WHERE id = $1", body["user_id"])
    assert account is not None
    assert account["password_hash"] is None
    assert account["verified_at"] is not None
    assert account["vouched_by"] == body["org_id"]
    assert body["key"] not in str(await auth.sql.fetch("SELECT * FROM auth.audit_event"))
    (event,) = await audit_of(auth, "waiting_person.converted", body["user_id"])
    assert (event["actor_id"], event["org_id"]) == (root.claims.sub, body["org_id"])


async def test_the_letter_lets_them_choose_a_password(auth: Auth, root: Person) -> None:
    address = new_address()
    waiting = await join(auth, address)
    converted = (await auth.post(f"{LIST}/{waiting}/convert", root.principal)).json()
    (letter,) = await auth.letters(address)
    match = re.search(r"/users/reset-password/([\w-]+)", text_of(letter))
    assert match is not None
    reset = await auth.post("/v1/auth/reset-password", token=match[1], new_password=NEW)
    assert reset.json() == {"reset": True}, reset.text
    person = await auth.sign_in(address, NEW)
    assert (person.claims.sub, person.claims.org) == (converted["user_id"], converted["org_id"])
    vouched = await auth.sql.fetchval(
        "SELECT vouched_by FROM auth.account WHERE id = $1", person.claims.sub
    )
    assert vouched is None, "the letter has proved the address"


async def test_nobody_is_let_in_twice(auth: Auth, root: Person) -> None:
    waiting = await join(auth, new_address())
    answers = await asyncio.gather(
        *(auth.post(f"{LIST}/{waiting}/convert", root.principal) for _ in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    unknown = await auth.post(f"{LIST}/wait_unknown/convert", root.principal)
    assert unknown.status_code == 404


async def test_who_has_an_account_already_goes_on_waiting(
    auth: Auth, root: Person, ada: Person
) -> None:
    waiting = await join(auth, ada.email)
    answer = await auth.post(f"{LIST}/{waiting}/convert", root.principal)
    assert answer.status_code == 409
    row = await auth.sql.fetchrow("SELECT * FROM auth.waiting_person WHERE id = $1", waiting)
    assert row is not None
    assert row["converted_at"] is None


async def test_a_strangers_unverified_registration_is_taken_over(auth: Auth, root: Person) -> None:
    address = new_address()
    await auth.register(address)
    waiting = await join(auth, address)
    assert (await auth.post(f"{LIST}/{waiting}/convert", root.principal)).status_code == 200
    stranger = await auth.post("/v1/auth/token", email=address, password="correct horse battery")
    assert stranger.status_code == 401
