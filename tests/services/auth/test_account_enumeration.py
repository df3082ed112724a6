"""Nobody learns from an answer, or from what it costs, whether an address has an account.

Compared are status, body, names of headers, every SQL statement in its order and every run of
argon2: what an attacker could measure is the same, because what is done is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest
from argon2 import PasswordHasher

from shared.principal import CLIENT_HEADER
from tests.services.auth.conftest import PASSWORD, Auth, new_address
from tests.services.auth.device_support import new_client

STANDINGS = ("unknown", "unverified", "verified", "disabled", "without password")
NEW = "a wholly different sentence"


@dataclass
class Work:
    """What was done for the requests of one task; those of the service's own are no request's."""

    task: asyncio.Task[Any] | None = None
    done: list[str] = field(default_factory=list)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Write down the statements and hashes of requests."""
    work = Work()

    def watched(kind: type, name: str, label: Callable[[tuple[Any, ...]], str]) -> None:
        original = getattr(kind, name)

        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            if kind is PasswordHasher or asyncio.current_task() is work.task:
                work.done.append(label(arguments))
            return original(self, *arguments, **options)

        monkeypatch.setattr(kind, name, call)

    for name in ("execute", "fetch", "fetchrow", "fetchval", "executemany"):
        watched(asyncpg.Connection, name, lambda arguments: " ".join(arguments[0].split()))
    for name in ("hash", "verify"):
        watched(PasswordHasher, name, lambda arguments, name=name: f"argon2 {name}")  # type: ignore[misc]
    return work


async def address_of(auth: Auth, standing: str) -> str:
    """Give an address that stands so."""
    if standing == "unknown":
        return new_address()
    if standing == "unverified":
        address = new_address()
        await auth.register(address)
        await auth.letters(address)
        return address
    person = await auth.person()
    change = {
        "verified": "name = name",
        "disabled": "disabled_at = now()",
        "without password": "password_hash = NULL",
    }[standing]
    await auth.sql.execute(
        f"UPDATE auth.account SET {change} WHERE id = $1",  # noqa: S608 - constants
        person.claims.sub,
    )
    return person.email


async def register(auth: Auth, address: str) -> httpx.Response:
    return await auth.register(address, password=NEW)


async def forgot(auth: Auth, address: str) -> httpx.Response:
    return await auth.post("/v1/auth/forgot-password", email=address)


async def forgot_by_the_other_name(auth: Auth, address: str) -> httpx.Response:
    return await auth.post("/v1/auth/request-password-reset", email=address)


async def resend(auth: Auth, address: str) -> httpx.Response:
    return await auth.post("/v1/auth/resend-verification", email=address)


async def wrong_login(auth: Auth, address: str, path: str = "/v1/auth/token") -> httpx.Response:
    body = {"email": address, "password": "not the right one"}
    return await auth.send("POST", path, json=body, headers={CLIENT_HEADER: new_client()})


async def wrong_login_on_runs(auth: Auth, address: str) -> httpx.Response:
    return await wrong_login(auth, address, "/api/v1/auth/login")


ASKED = [register, forgot, forgot_by_the_other_name, resend, wrong_login, wrong_login_on_runs]


@pytest.mark.parametrize("ask", ASKED, ids=lambda ask: ask.__name__)
async def test_every_address_is_answered_and_worked_for_alike(
    auth: Auth, work: Work, ask: Callable[[Auth, str], Awaitable[httpx.Response]]
) -> None:
    work.task = asyncio.current_task()
    seen: dict[str, Any] = {}
    for standing in STANDINGS:
        address = await address_of(auth, standing)
        work.done.clear()
        answer = await ask(auth, address)
        done = list(work.done)
        body = answer.text.replace(address, "<address>")
        if answer.status_code == 201:
            body = body.replace(answer.json()["id"], "<id>")
        names = sorted(name for name in answer.headers if name != "content-length")
        seen[standing] = (answer.status_code, body, names, done)
    for standing in STANDINGS[1:]:
        assert seen[standing] == seen["unknown"], standing
    assert seen["unknown"][3], "nothing was seen"


async def test_a_letter_is_queued_for_everybody_and_sent_to_those_there_are(auth: Auth) -> None:
    written = await auth.sql.fetchval("SELECT last_value FROM auth.letter_id_seq")
    addresses = {standing: await address_of(auth, standing) for standing in STANDINGS}
    before = await auth.sql.fetchval("SELECT last_value FROM auth.letter_id_seq")
    assert before > written
    for address in addresses.values():
        await forgot(auth, address)
    after = await auth.sql.fetchval("SELECT last_value FROM auth.letter_id_seq")
    assert after - before == len(STANDINGS)
    for standing in ("unverified", "verified", "without password"):
        letters = await auth.letters(addresses[standing], 2)
        assert letters[-1]["Subject"] == "Set a new password"
    for standing, count in (("unknown", 0), ("disabled", 1)):
        assert len(await auth.letters(addresses[standing], count)) == count


async def test_a_dead_token_is_dead_in_one_way(auth: Auth) -> None:
    """Used, expired, replaced or never given: a token tells nothing of why it does not work."""
    answers = set()
    for path in ("/v1/auth/reset-password", "/v1/auth/verify-email"):
        for token in ("reset_" + "A" * 43, "verify_" + "B" * 43, "x"):
            body = {"token": token, "new_password": NEW}
            answer = await auth.send("POST", path, json=body)
            answers.add((answer.status_code, answer.text))
    assert answers == {(400, '{"detail":"Invalid or expired token"}')}


async def test_a_right_password_of_an_unverified_address_alone_says_so(auth: Auth) -> None:
    address = await address_of(auth, "unverified")
    assert (await wrong_login(auth, address)).status_code == 401
    answer = await auth.post("/v1/auth/token", email=address, password=PASSWORD)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Email not verified"})
