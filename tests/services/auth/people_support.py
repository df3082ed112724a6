"""People of one organization, made and signed in as on the runs surface."""

from __future__ import annotations

import re
from typing import Any

import httpx

from shared.principal import ANONYMOUS, Principal
from tests.services.auth.conftest import Auth, Person, new_address, text_of

BASE = "/api/v1/auth"
GOOD = "eight is enough"
"""A password for the runs surface."""

_INVITATION = re.compile(r"^(invite_[\w-]{43})\r?$", re.MULTILINE)


async def log_in(auth: Auth, address: str, password: str = GOOD, **more: Any) -> httpx.Response:
    return await auth.post(f"{BASE}/login", email=address, password=password, **more)


async def as_person(auth: Auth, answer: httpx.Response) -> Person:
    """Give who an answer of ``{token, user}`` signs in."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return Person(body["user"]["email"], body["token"], await auth.claims_of(body["token"]))


async def colleague(auth: Auth, admin: Person, role: str = "member", **fields: Any) -> Person:
    """Make somebody in an admin's organization, and sign them in."""
    address = new_address()
    body = {"email": address, "password": GOOD, "role": role} | fields
    answer = await auth.post(f"{BASE}/users", admin.principal, **body)
    assert answer.status_code == 200, answer.text
    return await as_person(auth, await log_in(auth, address))


async def change(auth: Auth, admin: Person, whom: Person | str, **fields: Any) -> httpx.Response:
    account_id = whom if isinstance(whom, str) else whom.claims.sub
    return await auth.send("PATCH", f"{BASE}/users/{account_id}", admin.principal, json=fields)


async def remove(auth: Auth, admin: Person, whom: Person) -> httpx.Response:
    return await auth.send("DELETE", f"{BASE}/users/{whom.claims.sub}", admin.principal)


async def people_of(auth: Auth, admin: Person) -> dict[str, dict[str, Any]]:
    answer = await auth.send("GET", f"{BASE}/users", admin.principal)
    assert answer.status_code == 200, answer.text
    return {user["id"]: user for user in answer.json()}


async def invite(auth: Auth, admin: Person, address: str, **fields: Any) -> httpx.Response:
    return await auth.post(f"{BASE}/invites", admin.principal, email=address, **fields)


async def invitation_token(auth: Auth, address: str, count: int = 1) -> str:
    """Give the token of the newest of so many invitations to an address."""
    letters = 1
    while True:
        texts = [text_of(letter) for letter in await auth.letters(address, letters)]
        tokens = [match[1] for text in texts if (match := _INVITATION.search(text))]
        if len(tokens) >= count:
            return tokens[-1]
        letters = len(texts) + 1


async def accept(
    auth: Auth, token: str, password: str = GOOD, principal: Principal = ANONYMOUS, **more: Any
) -> httpx.Response:
    return await auth.post(
        f"{BASE}/accept-invite", principal, token=token, password=password, **more
    )


async def audit_of(auth: Auth, action: str, target: str) -> list[dict[str, Any]]:
    rows = await auth.sql.fetch(
        "SELECT * FROM auth.audit_event WHERE action = $1 AND target = $2 ORDER BY id",
        action,
        target,
    )
    return [dict(row) for row in rows]
