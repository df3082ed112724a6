"""Lists of passwords from elsewhere: tried from one address, at one account, from everywhere."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from shared.principal import CLIENT_HEADER
from tests.services.auth.conftest import GATEWAY, PASSWORD, Auth, new_address
from tests.services.auth.device_support import new_client

PATHS = ("/v1/auth/token", "/v1/auth/login", "/api/v1/auth/login", "/users/log-in")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Write down how often argon2 was run."""
    found: list[str] = []
    original = PasswordHasher.verify

    def verify(self: PasswordHasher, stored: str | bytes, password: str | bytes) -> Any:
        found.append("verify")
        return original(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    return found


async def attempt(
    auth: Auth, email: str, password: str, client: str, path: str = PATHS[0]
) -> httpx.Response:
    """Try to sign in as a client of the path's surface does."""
    body = {"email": email, "password": password}
    options: dict[str, Any] = {"json": body}
    headers = {CLIENT_HEADER: client}
    if path.startswith("/users"):
        options = {"data": body}
        headers["origin"] = "https://guildhall.example"
    return await auth.send("POST", path, headers=headers, **options)


@pytest.mark.parametrize("path", PATHS)
async def test_one_address_that_tries_sixty_accounts(
    auth: Auth, runs: list[str], path: str
) -> None:
    client = new_client()
    seen = [
        (await attempt(auth, new_address(), f"guess {number}", client, path)).status_code
        for number in range(60)
    ]
    assert seen == [401] * 10 + [429] * 50
    assert len(runs) == 10, "what is refused costs no hash"
    # Nobody else is kept from signing in.
    person = await auth.person()
    assert (await attempt(auth, person.email, PASSWORD, client)).status_code == 429
    assert (await attempt(auth, person.email, PASSWORD, new_client())).status_code == 200


@pytest.mark.parametrize("path", PATHS)
async def test_sixty_addresses_that_try_one_account(auth: Auth, runs: list[str], path: str) -> None:
    person = await auth.person()
    made = await auth.post("/api/v1/auth/tokens", person.principal, name="mine")
    refresh = await auth.post("/v1/auth/token", email=person.email, password=PASSWORD)
    runs.clear()
    seen = [
        (await attempt(auth, person.email, f"guess {number}", new_client(), path)).status_code
        for number in range(60)
    ]
    assert seen == [401] * 10 + [429] * 50
    assert len(runs) == 10
    # Whoever is in stays in, and so do their programs.
    assert (await auth.check(person))["active"]
    assert (await auth.send("GET", "/v1/auth/me", person.principal)).status_code == 200
    digest = hashlib.sha256(made.json()["token"].encode()).hexdigest()
    verdict = await auth.post("/internal/api-keys/check", GATEWAY, digest=digest)
    assert verdict.json()["active"] is True
    assert (await auth.post("/v1/auth/token", api_key=made.json()["token"])).status_code == 200
    token = refresh.json()["refresh_token"]
    assert (await auth.post("/v1/auth/refresh", refresh_token=token)).status_code == 200


async def test_a_list_of_three_hundred_pairs_from_a_hundred_addresses(
    auth: Auth, runs: list[str]
) -> None:
    """Twenty accounts, fifteen tries at each, three from each address; half of them exist."""
    known = [(await auth.person()).email for _ in range(10)]
    unknown = [new_address() for _ in range(10)]
    clients = [new_client() for _ in range(100)]
    runs.clear()
    seen: dict[str, list[tuple[Any, ...]]] = {email: [] for email in (*known, *unknown)}
    for number in range(300):
        pairs = known if number % 2 else unknown
        email = pairs[number // 2 % 10]
        path = PATHS[number // 20 % len(PATHS)]
        answer = await attempt(auth, email, f"guess {number}", clients[number // 3], path)
        # A page shows the address that was typed, and everything the seconds that are left.
        text = answer.text.replace(email, "<address>")
        waits = answer.headers.get("retry-after", "none")
        names = sorted(name for name in answer.headers if name != "content-length")
        seen[email].append((answer.status_code, text.replace(waits, "<seconds>"), names))
    first = seen[unknown[0]]
    assert [status for status, *_ in first] == [401] * 10 + [429] * 5
    for email, answers in seen.items():
        assert answers == first, email
    assert len(runs) == 200, "ten for each account"
    rows = await auth.sql.fetch("SELECT * FROM auth.throttle")
    assert not [email for email in unknown if email in str(rows)]
