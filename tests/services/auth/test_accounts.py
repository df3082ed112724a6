from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from argon2 import PasswordHasher

from tests.services.auth.conftest import (
    PUBLIC_URL,
    Auth,
    Person,
    new_address,
    text_of,
    token_in,
)


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what argon2 does, which is what takes time."""
    counted: Counter[str] = Counter()
    hash_, verify_ = PasswordHasher.hash, PasswordHasher.verify

    def hash_counted(self: PasswordHasher, password: str) -> str:
        counted["hash"] += 1
        return hash_(self, password)

    def verify_counted(self: PasswordHasher, stored: str, password: str) -> bool:
        counted["verify"] += 1
        return verify_(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "hash", hash_counted)
    monkeypatch.setattr(PasswordHasher, "verify", verify_counted)
    return counted


async def test_registering_answers_and_writes(auth: Auth) -> None:
    address = new_address()
    answer = await auth.register(address)
    assert answer.status_code == 201
    assert answer.json() == {"id": answer.json()["id"], "email": address, "verified": False}
    assert answer.json()["id"].startswith("usr_")
    assert answer.headers["cache-control"] == "no-store"
    (letter,) = await auth.letters(address)
    token = token_in(letter)
    assert letter["Subject"] == "Verify your email address"
    assert letter["From"] == "Guildhall <no-reply@guildhall.example>"
    text = text_of(letter)
    assert f"{PUBLIC_URL}/auth/verify-email?token={token}" in text
    assert f'-d \'{{"token":"{token}"}}\'' in text
    assert {"account_id": answer.json()["id"]}.items() <= (
        await auth.events("account.registered.v1")
    )[-1].items()


async def test_the_token_is_stored_as_a_digest_only(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    token = await auth.token_for(address)
    rows = await auth.sql.fetch("SELECT * FROM auth.email_verification")
    assert token not in str(rows)
    assert not await auth.sql.fetchval("SELECT count(*) FROM auth.letter WHERE body LIKE $1", token)


async def test_a_known_address_answers_like_a_new_one(
    auth: Auth, ada: Person, hashing: Counter[str]
) -> None:
    accounts = await auth.sql.fetchval("SELECT count(*) FROM auth.account")
    said = len(await auth.events("account.registered.v1"))
    answer = await auth.register(ada.email.upper(), password="another password entirely")
    assert answer.status_code == 201
    assert answer.json().keys() == {"id", "email", "verified"}
    assert answer.json()["email"] == ada.email.upper()
    assert answer.json()["verified"] is False
    assert answer.json()["id"] != ada.claims.sub
    assert hashing == {"hash": 1}
    assert await auth.sql.fetchval("SELECT count(*) FROM auth.account") == accounts
    assert len(await auth.events("account.registered.v1")) == said
    letter = (await auth.letters(ada.email, 2))[-1]
    assert letter["Subject"] == "You already have an account"
    hashing.clear()
    await auth.register(new_address())
    assert hashing == {"hash": 1}
    await auth.sign_in(ada.email)  # with the password that the account had


async def test_verifying_gives_an_organization_of_ones_own(auth: Auth) -> None:
    person = await auth.person("Ada, Countess of Lovelace")
    (verified,) = [
        event
        for event in await auth.events("account.verified.v1")
        if event["account_id"] == person.claims.sub
    ]
    created = next(
        event
        for event in await auth.events("organization.created.v1")
        if event["org_id"] == person.claims.org
    )
    joined = next(
        event
        for event in await auth.events("membership.changed.v1")
        if event["org_id"] == person.claims.org
    )
    assert verified["event_id"]
    assert created["name"] == "Ada, Countess of Lovelace"
    assert created["slug"].startswith("ada-countess-of-lovelace")
    assert joined["account_id"] == person.claims.sub
    assert joined["role"] == person.claims.role == "owner"
    assert joined["version"] >= 1


async def test_no_organization_before_the_address_is_verified(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    row = await auth.sql.fetchrow("SELECT * FROM auth.account WHERE email = $1", address)
    assert row is not None
    assert row["active_org_id"] is None
    assert not await auth.sql.fetchval(
        "SELECT count(*) FROM auth.membership WHERE account_id = $1", row["id"]
    )


async def test_a_verification_token_works_once(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    token = await auth.token_for(address)
    answers = await asyncio.gather(
        *(auth.post("/v1/auth/verify-email", token=token) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    again = await auth.post("/v1/auth/verify-email", token=token)
    assert again.status_code == 400
    assert again.json() == {"detail": "Invalid or expired token"}


async def test_a_verification_token_expires(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    token = await auth.token_for(address)
    changed = await auth.sql.execute(
        """
        UPDATE auth.email_verification v SET expires_at = expires_at - interval '24 hours'
          FROM auth.account a WHERE a.id = v.account_id AND a.email = $1
        """,
        address,
    )
    assert changed == "UPDATE 1"
    answer = await auth.post("/v1/auth/verify-email", token=token)
    assert (answer.status_code, answer.json()) == (400, {"detail": "Invalid or expired token"})


async def test_a_newer_letter_kills_the_older_one(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    older = await auth.token_for(address)
    answer = await auth.post("/v1/auth/resend-verification", email=address.upper())
    assert (answer.status_code, answer.json()) == (200, {"sent": True})
    newer = await auth.token_for(address, 2)
    assert older != newer
    assert (await auth.post("/v1/auth/verify-email", token=older)).status_code == 400
    assert (await auth.post("/v1/auth/verify-email", token=newer)).status_code == 200


async def test_until_it_is_verified_the_last_to_register_an_address_decides(auth: Auth) -> None:
    address = new_address()
    first = await auth.register(address, password="the stranger's password")
    await auth.letters(address)
    second = await auth.register(address, name="Owner")
    assert second.json().keys() == first.json().keys()
    assert second.json()["id"] != first.json()["id"]
    token = await auth.token_for(address, 2)
    assert (await auth.post("/v1/auth/verify-email", token=token)).status_code == 200
    stranger = await auth.post("/v1/auth/token", email=address, password="the stranger's password")
    assert stranger.status_code == 401
    owner = await auth.sign_in(address)
    assert owner.claims.sub == first.json()["id"]


async def test_addresses_are_compared_without_case_and_width(auth: Auth) -> None:
    address = new_address()
    typed = address.upper()
    await auth.register(typed)
    await auth.letters(typed)
    wide = address.replace("a", "ａ")  # noqa: RUF001 - a full-width letter is the point
    answers = await asyncio.gather(*(auth.register(text) for text in (address, typed, wide)))
    assert {answer.status_code for answer in answers} == {201}
    assert (
        await auth.sql.fetchval("SELECT count(*) FROM auth.account WHERE email_key = $1", address)
        == 1
    )


async def test_twenty_at_once_make_one_account(auth: Auth) -> None:
    address = new_address()
    answers = await asyncio.gather(*(auth.register(address) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 20
    assert (
        await auth.sql.fetchval("SELECT count(*) FROM auth.account WHERE email = $1", address) == 1
    )
    await auth.letters(address, 20)


async def test_verifying_and_registering_again_do_not_block_each_other(auth: Auth) -> None:
    for _ in range(4):
        address = new_address()
        await auth.register(address)
        token = await auth.token_for(address)
        answers = await asyncio.gather(
            auth.register(address),
            auth.post("/v1/auth/verify-email", token=token),
            auth.post("/v1/auth/resend-verification", email=address),
            auth.post("/v1/auth/verify-email", token=token),
        )
        assert {answer.status_code for answer in answers} <= {200, 201, 400}


@pytest.mark.parametrize("path", ["/v1/auth/me", "/api/v1/auth/me"])
async def test_me_is_the_user_object(auth: Auth, ada: Person, path: str) -> None:
    answer = await auth.send("GET", path, ada.principal)
    assert answer.status_code == 200
    me = answer.json()
    assert me.pop("created_at").endswith("Z")
    assert me == {
        "id": ada.claims.sub,
        "email": ada.email,
        "role": "owner",
        "org_id": ada.claims.org,
        "org_name": "Ada Lovelace",
        "name": "Ada Lovelace",
        "verified": True,
    }


async def test_me_speaks_each_surfaces_errors(auth: Auth) -> None:
    learnings = await auth.send("GET", "/v1/auth/me")
    runs = await auth.send("GET", "/api/v1/auth/me")
    assert (learnings.status_code, runs.status_code) == (401, 401)
    assert learnings.json() == {"detail": "Invalid or expired token"}
    assert runs.json()["error"]["type"] == "unauthorized"
    assert runs.headers["www-authenticate"] == "Bearer"


async def test_an_administrator_of_all_is_admin_to_the_runs_surface(
    auth: Auth, root: Person
) -> None:
    me = (await auth.send("GET", "/api/v1/auth/me", root.principal)).json()
    assert me["role"] == "admin"


async def test_a_password_is_compared_in_normal_form(auth: Auth) -> None:
    address = new_address()
    await auth.register(address, password="pässword pässword")
    token = await auth.token_for(address)
    await auth.post("/v1/auth/verify-email", token=token)
    await auth.sign_in(address, "pa\u0308ssword pa\u0308ssword")


async def test_the_letters_link_leads_to_a_page_that_verifies_by_a_click(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    token = await auth.token_for(address)
    page = await auth.send("GET", "/auth/verify-email", params={"token": token})
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f'name="token" value="{token}"' in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not await auth.sql.fetchval(
        "SELECT verified_at IS NOT NULL FROM auth.account WHERE email = $1", address
    ), "looking at the page verifies nothing"
    done = await auth.send("POST", "/auth/verify-email", data={"token": token})
    assert (done.status_code, "Your address is verified" in done.text) == (200, True)
    again = await auth.send("POST", "/auth/verify-email", data={"token": token})
    assert (again.status_code, "does not work any more" in again.text) == (400, True)


async def test_the_verification_page_escapes_what_it_is_given(auth: Auth) -> None:
    page = await auth.send("GET", "/auth/verify-email", params={"token": '"><script>x</script>'})
    assert "<script>" not in page.text
    json = await auth.send("POST", "/auth/verify-email", json={"token": "x"})
    assert json.status_code == 415
