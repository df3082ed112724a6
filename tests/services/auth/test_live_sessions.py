"""A session that was ended makes nothing that would outlive it, though the gateway knows it yet."""

from __future__ import annotations

import pytest

from tests.services.auth.conftest import Auth, Person
from tests.services.auth.device_support import begin

MADE = ("api_key", "two_factor", "invitation", "machine", "membership")


async def counted(auth: Auth) -> list[int]:
    return [
        await auth.sql.fetchval(f"SELECT count(*) FROM auth.{name}")  # noqa: S608 - constants
        for name in MADE
    ]


async def ended(auth: Auth) -> Person:
    person = await auth.person()
    await auth.sql.execute(
        "UPDATE auth.session SET ended_at = now() WHERE account_id = $1", person.claims.sub
    )
    return person


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/admin/organizations/{org}/api-keys", {"name": "a thief's"}),
        ("/api/v1/auth/tokens", {"name": "a thief's"}),
        ("/v1/auth/2fa/enable", {}),
        ("/api/v1/auth/invites", {"email": "thief@mail.example", "role": "admin"}),
        (
            "/api/v1/auth/users",
            {"email": "thief@mail.example", "password": "four wholly odd words", "role": "admin"},
        ),
    ],
)
async def test_nothing_lasting_is_made(auth: Auth, path: str, body: dict[str, str]) -> None:
    person = await ended(auth)
    before = await counted(auth)
    answer = await auth.post(path.format(org=person.claims.org), person.principal, **body)
    assert answer.status_code == 401, answer.text
    assert await counted(auth) == before


async def test_no_key_is_rotated(auth: Auth) -> None:
    person = await auth.person()
    keys = f"/v1/admin/organizations/{person.claims.org}/api-keys"
    key = (await auth.post(keys, person.principal, name="mine")).json()
    await auth.sql.execute(
        "UPDATE auth.session SET ended_at = now() WHERE account_id = $1", person.claims.sub
    )
    before = await counted(auth)
    answer = await auth.post(f"{keys}/{key['id']}/rotate", person.principal)
    assert answer.status_code == 401
    assert await counted(auth) == before


async def test_no_device_is_approved(auth: Auth) -> None:
    person, code = await ended(auth), await begin(auth)
    answer = await auth.post(
        "/v1/auth/device/approve", person.principal, user_code=code["user_code"]
    )
    assert answer.status_code == 401
    status = "SELECT status FROM auth.device_login WHERE user_code = $1"
    assert await auth.sql.fetchval(status, code["user_code"]) == "pending"


async def test_no_account_is_deleted(auth: Auth) -> None:
    person = await ended(auth)
    answer = await auth.send("DELETE", "/api/account", person.principal)
    assert answer.status_code == 401
    there = "SELECT count(*) FROM auth.account WHERE id = $1"
    assert await auth.sql.fetchval(there, person.claims.sub) == 1
