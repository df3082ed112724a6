from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.auth.invitations.operations import sweep
from shared.db import Database
from tests.services.auth.conftest import PASSWORD, Auth, Person, new_address, running, text_of
from tests.services.auth.people_support import (
    BASE,
    GOOD,
    accept,
    as_person,
    audit_of,
    change,
    colleague,
    invitation_token,
    invite,
    log_in,
    people_of,
    remove,
)
from tests.services.auth.two_factor_support import enrol
from tests.support.postgres import DatabaseUrls

INVITES = f"{BASE}/invites"
REFUSED = {
    "type": "bad_request",
    "detail": "Invalid or expired invitation",
    "error": {"type": "bad_request", "message": "Invalid or expired invitation"},
}


@pytest.fixture(autouse=True)
async def _forgiven(auth: Auth) -> None:
    """All tests come from one network address, whose failures count together."""
    await auth.sql.execute("DELETE FROM auth.throttle")


async def invited(auth: Auth, owner: Person, address: str, **fields: object) -> str:
    answer = await invite(auth, owner, address, **fields)
    assert answer.status_code == 200, answer.text
    return await invitation_token(auth, address)


async def test_an_invitation_is_a_letter_with_a_link(auth: Auth) -> None:
    owner, address = await auth.person("Ada & Co"), new_address()
    answer = await invite(auth, owner, address, role="admin")
    assert answer.status_code == 200
    item = answer.json()
    assert set(item) == {"id", "email", "role", "expires_at", "created_at"}
    assert (item["email"], item["role"]) == (address, "admin")
    days = await auth.sql.fetchval(
        "SELECT extract(day FROM expires_at - created_at)::int FROM auth.invitation WHERE id = $1",
        item["id"],
    )
    assert days == 7
    (letter,) = await auth.letters(address)
    token = await invitation_token(auth, address)
    assert f"https://guildhall.example/accept-invite?token={token}" in text_of(letter)
    assert letter["Subject"] == "Ada & Co invites you to Ada & Co"
    assert "Ada &amp; Co" in text_of(letter, "html")
    assert token not in answer.text
    stored = await auth.sql.fetch("SELECT * FROM auth.invitation WHERE id = $1", item["id"])
    assert token not in str(stored)
    (event,) = await audit_of(auth, "invitation.sent", item["id"])
    assert address not in str(event)


async def test_names_cannot_write_the_letter(auth: Auth) -> None:
    owner, address = await auth.person("<script>alert(1)</script>"), new_address()
    await invited(auth, owner, address)
    (letter,) = await auth.letters(address)
    assert "<script>" not in text_of(letter, "html")
    assert "&lt;script&gt;" in text_of(letter, "html")


async def test_a_new_person_joins_by_the_letter_alone(auth: Auth) -> None:
    owner, address = await auth.person(), new_address()
    token = await invited(auth, owner, address)
    answer = await accept(auth, token, name="Grace")
    assert answer.headers["cache-control"] == "no-store"
    person = await as_person(auth, answer)
    assert (person.email, person.claims.org, person.claims.role) == (
        address,
        owner.claims.org,
        "member",
    )
    user = answer.json()["user"]
    assert (user["name"], user["verified"], user["org_name"]) == ("Grace", True, "Ada Lovelace")
    assert (await auth.check(person))["active"]
    assert (await log_in(auth, address)).status_code == 200
    row = await auth.sql.fetchrow(
        """
        SELECT vouched_by, (SELECT count(*) FROM auth.membership WHERE account_id = a.id) AS homes
          FROM auth.account a WHERE id = $1
        """,
        person.claims.sub,
    )
    assert row is not None
    assert dict(row) == {"vouched_by": None, "homes": 1}
    events = await auth.events("membership.changed.v1")
    assert (events[-1]["account_id"], events[-1]["role"]) == (person.claims.sub, "member")


@pytest.mark.parametrize("addressee", ["nobody", "somebody"])
async def test_of_fifty_that_accept_at_once_one_does(auth: Auth, addressee: str) -> None:
    owner = await auth.person()
    if addressee == "somebody":
        address, password = (await auth.person()).email, PASSWORD
    else:
        address, password = new_address(), GOOD
    token = await invited(auth, owner, address)
    answers = await asyncio.gather(*(accept(auth, token, password) for _ in range(50)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [400] * 49, statuses
    assert len(await people_of(auth, owner)) == 2


async def test_an_account_joins_by_its_own_password(auth: Auth) -> None:
    owner, grace = await auth.person(), await auth.person("Grace Hopper")
    assert (await invite(auth, owner, grace.email.upper())).status_code == 200
    token = await invitation_token(auth, grace.email.upper())
    wrong = await accept(auth, token, GOOD)
    assert wrong.status_code == 401
    assert wrong.json()["detail"] == "Invalid email or password"
    assert (await log_in(auth, grace.email, GOOD)).status_code == 401
    person = await as_person(auth, await accept(auth, token, PASSWORD, name="Somebody Else"))
    assert (person.claims.sub, person.claims.org) == (grace.claims.sub, owner.claims.org)
    assert (await people_of(auth, owner))[grace.claims.sub]["name"] == "Grace Hopper"
    assert (await auth.check(grace))["active"], "the session in their own organization goes on"
    assert (await log_in(auth, grace.email, PASSWORD)).json()["user"]["org_id"] == owner.claims.org


async def test_a_second_factor_holds_here_too(auth: Auth) -> None:
    owner, device = await auth.person(), await enrol(auth)
    token = await invited(auth, owner, device.person.email)
    answer = await accept(auth, token, PASSWORD)
    assert (answer.status_code, answer.json()["detail"]) == (401, "2FA required")
    assert (await accept(auth, token, PASSWORD, code=device.wrong_code())).status_code == 401
    assert (await accept(auth, token, PASSWORD, code=device.code())).status_code == 200


async def test_a_removed_user_keeps_the_second_factor(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    device = await enrol(auth, member)
    await remove(auth, owner, member)
    token = await invited(auth, owner, member.email)
    answer = await accept(auth, token, "another pass phrase")
    assert (answer.status_code, answer.json()["detail"]) == (401, "2FA required")
    answer = await accept(auth, token, "another pass phrase", code=device.code())
    assert answer.status_code == 200


async def test_guessing_the_password_by_an_invitation_is_throttled(auth: Auth) -> None:
    owner, grace = await auth.person(), await auth.person("Grace Hopper")
    token = await invited(auth, owner, grace.email)
    statuses = [(await accept(auth, token, f"guess {n}")).status_code for n in range(11)]
    assert statuses == [401] * 10 + [429]


async def test_an_unverified_account_is_taken_over_by_its_address(auth: Auth) -> None:
    owner, address = await auth.person(), new_address()
    await auth.register(address, password="the stranger's password")
    token = await invited(auth, owner, address)
    person = await as_person(auth, await accept(auth, token))
    assert person.claims.org == owner.claims.org
    assert (await log_in(auth, address, "the stranger's password")).status_code == 401


async def test_a_newer_invitation_kills_the_older(auth: Auth) -> None:
    owner, address = await auth.person(), new_address()
    older = await invited(auth, owner, address, role="admin")
    await invite(auth, owner, address.upper())
    newer = await invitation_token(auth, address.upper())
    assert (await accept(auth, older)).status_code == 400
    listed = (await auth.send("GET", INVITES, owner.principal)).json()
    assert [item["role"] for item in listed] == ["member"]
    assert (await accept(auth, newer)).json()["user"]["role"] == "member"


async def test_two_letters_at_once_leave_one_that_works(auth: Auth) -> None:
    owner, address = await auth.person(), new_address()
    answers = await asyncio.gather(*(invite(auth, owner, address) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len((await auth.send("GET", INVITES, owner.principal)).json()) == 1


async def test_what_does_not_hold_is_refused_alike(auth: Auth) -> None:
    owner = await auth.person()
    addresses = [new_address() for _ in range(3)]
    used, revoked, expired = [await invited(auth, owner, address) for address in addresses]
    assert (await accept(auth, used)).status_code == 200
    (item,) = [
        one
        for one in (await auth.send("GET", INVITES, owner.principal)).json()
        if one["email"] == addresses[1]
    ]
    gone = await auth.send("DELETE", f"{INVITES}/{item['id']}", owner.principal)
    assert (gone.status_code, gone.json()) == (200, {"ok": True})
    await auth.sql.execute(
        "UPDATE auth.invitation SET expires_at = now() WHERE email = $1", addresses[2]
    )
    for token in (used, revoked, expired, "invite_" + "A" * 43, "", "ä"):
        answer = await accept(auth, token)
        assert (answer.status_code, answer.json()) == (400, REFUSED)
    assert (await auth.send("GET", INVITES, owner.principal)).json() == []


async def test_a_weak_password_does_not_use_the_token_up(auth: Auth) -> None:
    owner, address = await auth.person(), new_address()
    token = await invited(auth, owner, address)
    for password in ("seven c", "password1"):
        assert (await accept(auth, token, password)).status_code == 400
    assert (await accept(auth, token)).status_code == 200


async def test_the_letter_decides_and_not_the_body(auth: Auth, grace: Person) -> None:
    owner, address = await auth.person(), new_address()
    token = await invited(auth, owner, address)
    more: dict[str, Any] = {
        "email": "mine@mail.example",
        "role": "admin",
        "org_id": grace.claims.org,
    }
    user = (await accept(auth, token, **more)).json()["user"]
    assert (user["email"], user["role"], user["org_id"]) == (address, "member", owner.claims.org)


async def test_a_member_is_not_invited(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    answer = await invite(auth, owner, member.email.upper())
    assert (answer.status_code, answer.json()["type"]) == (409, "conflict")


async def test_who_became_a_member_meanwhile_is_told_so(auth: Auth) -> None:
    owner, grace = await auth.person(), await auth.person("Grace Hopper")
    token = await invited(auth, owner, grace.email)
    await auth.sql.execute(
        "INSERT INTO auth.membership (org_id, account_id, role) VALUES ($1, $2, 'member')",
        owner.claims.org,
        grace.claims.sub,
    )
    assert (await accept(auth, token, PASSWORD)).status_code == 409


async def test_a_removed_user_comes_back_by_a_letter(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    await remove(auth, owner, member)
    token = await invited(auth, owner, member.email)
    back = await as_person(auth, await accept(auth, token, "another pass phrase"))
    assert back.claims.sub == member.claims.sub
    assert (await log_in(auth, member.email)).status_code == 401


async def test_a_disabled_member_of_another_organization_stays_disabled(auth: Auth) -> None:
    owner, other = await auth.person(), await auth.person("Other")
    member = await colleague(auth, owner)
    assert (await change(auth, owner, member, disabled=True)).status_code == 200
    token = await invited(auth, other, member.email)
    assert (await accept(auth, token)).status_code == 401
    assert (await log_in(auth, member.email)).status_code == 401


async def test_invitations_are_the_organizations_own(auth: Auth, grace: Person) -> None:
    owner, address = await auth.person(), new_address()
    token = await invited(auth, owner, address)
    (item,) = (await auth.send("GET", INVITES, owner.principal)).json()
    one = await auth.send("GET", f"{INVITES}/{item['id']}", owner.principal)
    assert one.json() == item
    assert (await auth.send("GET", INVITES, grace.principal)).json() == []
    for method in ("GET", "DELETE"):
        answer = await auth.send(method, f"{INVITES}/{item['id']}", grace.principal)
        assert answer.status_code == 404
        assert (await auth.send(method, f"{INVITES}/x", owner.principal)).status_code == 404
    assert (await accept(auth, token)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"email": "nobody"}, "body.email"),
        ({"role": "owner"}, "body.role"),
        ({"role": "platform_admin"}, "body.role"),
    ],
)
async def test_a_bad_field_is_named(
    auth: Auth, ada: Person, fields: dict[str, str], path: str
) -> None:
    body = {"email": new_address()} | fields
    answer = await auth.post(INVITES, ada.principal, **body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["path"] == path


async def test_nobody_is_pestered(auth: Auth) -> None:
    owner, address = await auth.person(), new_address()
    statuses = [(await invite(auth, owner, address)).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    assert (await invite(auth, owner, new_address())).status_code == 200


async def test_the_link_leads_to_the_web_client_where_there_is_one(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    more = {"TRIPWIRE_BASE_URL": "https://dashboard.example/app/"}
    async with running(database_urls, tmp_path, **more) as auth:
        owner, address = await auth.person(), new_address()
        token = await invited(auth, owner, address)
        (letter,) = await auth.letters(address)
        assert f"https://dashboard.example/app/accept-invite?token={token}" in text_of(letter)


async def test_old_invitations_are_forgotten(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with running(database_urls, tmp_path) as auth:
        owner = await auth.person()
        for days in (29, 31):
            item = (await invite(auth, owner, new_address())).json()
            await auth.sql.execute(
                """
                UPDATE auth.invitation SET expires_at = now() - $2 * interval '1 day' WHERE id = $1
                """,
                item["id"],
                days,
            )
        database = await Database.connect(database_urls.url("auth"), size=1)
        try:
            await sweep(database)
        finally:
            await database.close()
        assert await auth.sql.fetchval("SELECT count(*) FROM auth.invitation") == 1
