"""Service accounts through the gateway of the running system (agents contract, section 9)."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import pytest

from tests.support.stack import Stack, running_stack

pytestmark = [pytest.mark.stack]

API = "/api/v0"
FORGOTTEN = 10.0
"""Seconds after which only the gateway's own forgetting could have refused an old token."""


@pytest.fixture(scope="module")
def system() -> Iterator[Stack]:
    with running_stack(GUILDHALL_SERVICE_ADMIN_PASSWORD="admin") as stack:
        yield stack


@pytest.fixture
async def client(system: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=system.base_url, timeout=20) as client:
        yield client


async def signed_in(client: httpx.AsyncClient, name: str, password: str) -> dict[str, str]:
    answer = await client.post(f"{API}/auth/internal", json={"pass": password, "user": name})
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['token']}"}


async def made(client: httpx.AsyncClient, admin: dict[str, str]) -> str:
    name = f"robot-{secrets.token_hex(6)}"
    body = {"user": name, "pass": "test123"}
    answer = await client.post(f"{API}/service-accounts", json=body, headers=admin)
    assert answer.status_code == 201, answer.text
    return name


async def test_the_first_steps_of_a_client(client: httpx.AsyncClient, system: Stack) -> None:
    admin = await signed_in(client, "admin", "admin")
    me = await client.get(f"{API}/auth/me", headers=admin)
    assert (me.status_code, me.json()["user"]) == (200, "admin")
    doubled = await client.get(f"{system.base_url}/{API}/roles/", headers=admin)
    assert doubled.status_code == 200
    assert doubled.headers["x-total-count"] == str(len(doubled.json()))
    assert doubled.headers["x-ratelimit-limit"]
    wrong = await client.put(f"{API}/roles/viewer", json={}, headers=admin)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    nobody = await client.get(f"{API}/auth/me")
    assert nobody.json()["message"] == "Authentication required"
    bare = await client.post(f"{API}/auth/external", json={"subject": "admin"})
    assert bare.status_code == 401


async def test_no_other_door_opens_to_a_service_account(client: httpx.AsyncClient) -> None:
    admin = await signed_in(client, "admin", "admin")
    for path in ("/v1/learnings", "/v1/admin/users", "/v1/auth/me", "/v1/auth/sessions"):
        answer = await client.get(path, headers=admin)
        assert answer.status_code == 403, f"{path}: {answer.text}"


async def test_old_tokens_are_refused_by_the_buss_word(client: httpx.AsyncClient) -> None:
    admin = await signed_in(client, "admin", "admin")

    async def deactivate(path: str) -> None:
        await client.put(path, json={"active": False}, headers=admin)

    async def change_password(path: str) -> None:
        await client.put(f"{path}/password", json={"new_password": "other"}, headers=admin)

    async def delete_and_make_again(path: str) -> None:
        await client.delete(path, headers=admin)
        body = {"user": path.rpartition("/")[2], "pass": "test123"}
        await client.post(f"{API}/service-accounts", json=body, headers=admin)

    ways: list[Callable[[str], Awaitable[None]]] = [
        deactivate,
        change_password,
        delete_and_make_again,
    ]
    for end in ways:
        name = await made(client, admin)
        robot = await signed_in(client, name, "test123")
        assert (await client.get(f"{API}/auth/me", headers=robot)).status_code == 200
        await end(f"{API}/service-accounts/{name}")
        started = time.monotonic()
        while (await client.get(f"{API}/auth/me", headers=robot)).status_code != 401:
            assert time.monotonic() - started < FORGOTTEN, end.__name__
            await asyncio.sleep(0.02)


async def test_a_logged_out_token_is_refused(client: httpx.AsyncClient) -> None:
    admin = await signed_in(client, "admin", "admin")
    assert (await client.post(f"{API}/auth/logout", headers=admin)).status_code == 204
    started = time.monotonic()
    while (await client.get(f"{API}/auth/me", headers=admin)).status_code != 401:
        assert time.monotonic() - started < FORGOTTEN
        await asyncio.sleep(0.02)


async def test_guesses_are_throttled_by_account(client: httpx.AsyncClient) -> None:
    admin = await signed_in(client, "admin", "admin")
    name = await made(client, admin)
    body = {"user": name, "pass": "wrong"}
    tries = [await client.post(f"{API}/auth/internal", json=body) for _ in range(11)]
    assert [answer.status_code for answer in tries] == [401] * 10 + [429]
    assert int(tries[-1].headers["retry-after"]) > 0
    assert tries[-1].json()["error"]["code"] == "RATE_LIMITED"
    assert len({answer.text for answer in tries[:-1]}) == 1
    right = await client.post(f"{API}/auth/internal", json=body | {"pass": "test123"})
    assert right.status_code == 429
    await signed_in(client, "admin", "admin")
