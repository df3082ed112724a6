"""One account for four surfaces, at the gateway of the running system.

Which credential opens which door, how soon an ended session is noticed, and what an outage of auth
does to people who are at work.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from shared.principal import ASSERTION_HEADER, Kind, Principal, sign_assertion
from shared.secret import decode_base64url, derive
from shared.settings import assertion_purpose
from tests.gateway.machines import Machine
from tests.support.stack import MakeStack, Stack, running_stack
from tests.system.people import PASSWORD, Person, joined, mailed_token

pytestmark = [pytest.mark.stack]

ADA = Machine(bytes(range(32)))
RATES = " ".join(
    f"{name}=1000000/60"
    for name in ("learnings", "runs", "agents", "auth", "account", "signed", "device_poll")
)
NOTICED = 1.0
"""Seconds within which the bus tells the gateway of an ended session."""

FORGOTTEN = 10.0
"""Seconds after which only the gateway's own forgetting could have ended it."""


@pytest.fixture(scope="module")
def system() -> Iterator[Stack]:
    with running_stack(GUILDHALL_RATE_LIMITS=RATES) as stack:
        yield stack


@pytest.fixture
async def client(system: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=system.base_url, timeout=20) as client:
        yield client


def new_address() -> str:
    return f"{secrets.token_hex(6)}@example.com"


@dataclass
class Credentials:
    """What one person holds."""

    token: str
    key: str
    key_token: str
    verification: str
    reset: str = "reset_" + "A" * 43
    refresh: str = "refresh_" + "A" * 43
    device: str = "0a" * 32
    cookie: str = "web_" + "A" * 43


async def credentials_of(client: httpx.AsyncClient, system: Stack) -> Credentials:
    """Get every credential that the system gives a person, and the looks of the others."""
    person = await joined(client, system.mail_directory, new_address())
    answer = await client.post(
        f"/v1/admin/organizations/{person.org_id}/api-keys",
        json={"name": "ci"},
        headers=person.headers,
    )
    assert answer.status_code == 201, answer.text
    key = answer.json()["key"]
    answer = await client.post("/v1/auth/token", json={"api_key": key})
    assert answer.status_code == 200, answer.text
    newcomer = new_address()
    body = {"email": newcomer, "password": PASSWORD, "name": "Grace Hopper"}
    assert (await client.post("/v1/auth/register", json=body)).status_code == 201
    verification = await mailed_token(system.mail_directory, newcomer)
    return Credentials(person.token, key, answer.json()["access_token"], verification)


def assertion(system: Stack, service: str) -> str:
    """Sign what only the gateway may say, with the installation's own key."""
    text = (system.data_dir / "secrets" / "root_secret").read_text().strip()
    key = derive(decode_base64url(text), assertion_purpose(service))
    person = Principal(Kind.USER, "usr_1", "org_1", "platform_admin", ("*",), "ses_1", "usr_1")
    return sign_assertion(key, service, person, time.time())


# A service that is not built yet answers 404 or 503 to whoever gets through; 401 is the gateway's.
BEARER_DOORS = (
    "/v1/learnings",
    "/v1/sync/state",
    "/v1/telemetry/events",
    "/v1/auth/me",
    "/v1/admin/organizations",
    "/v1/admin/users",
    "/api/v1/runs",
    "/api/v1/auth/me",
    "/api/v1/artifacts/run_1/a.png",
    "/api/v0/agents",
    "/api/v0/auth/me",
    "/api/v0/roles",
)
SIGNED_DOORS = (
    f"/api/teams/{ADA.token}",
    f"/api/teams/all/{ADA.token}",
    "/api/auth/device/0a",
    "/api/join",
    "/api/token/x",
)
SESSION_DOORS = ("/api/account", "/api/account/export")
DOORS = (*BEARER_DOORS, *SIGNED_DOORS)


async def test_matrix_of_credentials_and_doors(client: httpx.AsyncClient, system: Stack) -> None:
    has = await credentials_of(client, system)
    shown: dict[str, dict[str, str]] = {
        "nothing": {},
        "token": {"authorization": f"Bearer {has.token}"},
        "token bought with a key": {"authorization": f"Bearer {has.key_token}"},
        "key": {"authorization": f"Bearer {has.key}"},
        "token in a cookie": {"cookie": f"session={has.token}; access_token={has.token}"},
        "key in another header": {"x-api-key": has.key},
        "web cookie": {"cookie": f"session={has.cookie}; guildhall_session={has.cookie}"},
        "machine as bearer": {"authorization": f"Bearer {ADA.token}"},
        "assertion of learnings": {ASSERTION_HEADER: assertion(system, "learnings")},
        "assertion of auth": {ASSERTION_HEADER: assertion(system, "auth")},
        "assertion as bearer": {"authorization": f"Bearer {assertion(system, 'auth')}"},
        "verification": {"authorization": f"Bearer {has.verification}"},
        "reset": {"authorization": f"Bearer {has.reset}"},
        "refresh": {"authorization": f"Bearer {has.refresh}"},
        "device code": {"authorization": f"Bearer {has.device}"},
        "cookie as bearer": {"authorization": f"Bearer {has.cookie}"},
    }
    openers = {"token", "token bought with a key", "key"}
    opened: set[tuple[str, str]] = set()
    for name, headers in shown.items():
        for door in DOORS:
            status = (await client.get(door, headers=headers)).status_code
            if status != 401:
                opened.add((name, door))
    assert opened == {(name, door) for name in openers for door in BEARER_DOORS}

    for door in DOORS:
        status = (await client.get(door, headers=ADA.headers("GET", door))).status_code
        assert (status == 401) is (door in BEARER_DOORS), door


async def test_keys_open_no_admin_door(client: httpx.AsyncClient, system: Stack) -> None:
    has = await credentials_of(client, system)
    for credential in (has.key, has.key_token):
        headers = {"authorization": f"Bearer {credential}"}
        assert (await client.get("/v1/learnings", headers=headers)).status_code == 200
        for path in ("/v1/admin/organizations", "/v1/admin/users"):
            assert (await client.get(path, headers=headers)).status_code == 403


@pytest.mark.parametrize("door", SESSION_DOORS)
async def test_account_door_takes_no_bad_bearer(client: httpx.AsyncClient, door: str) -> None:
    for text in ("noise", "refresh_" + "A" * 43, ADA.token, "trw_live_" + "A" * 43):
        answer = await client.get(door, headers={"authorization": f"Bearer {text}"})
        assert answer.status_code == 401
        assert answer.json()["error"] == "unauthorized"


async def ended_within(client: httpx.AsyncClient, person: Person, limit: float) -> float:
    """Wait until the gateway no longer lets a person in; give how long that took."""
    started = time.monotonic()
    while True:
        answer = await client.get("/v1/learnings", headers=person.headers)
        if answer.status_code == 401:
            return time.monotonic() - started
        assert time.monotonic() - started < limit, "the session goes on"
        await asyncio.sleep(0.01)


async def test_logout_is_noticed_on_every_surface(client: httpx.AsyncClient, system: Stack) -> None:
    person = await joined(client, system.mail_directory, new_address())
    took = []
    for _ in range(5):
        for door in BEARER_DOORS:
            assert (await client.get(door, headers=person.headers)).status_code != 401
        answer = await client.post("/v1/auth/logout", headers=person.headers)
        assert answer.status_code == 204
        took.append(await ended_within(client, person, FORGOTTEN))
        for door in BEARER_DOORS:
            assert (await client.get(door, headers=person.headers)).status_code == 401
        await person.log_in()
    # A busy machine may be late once; half of the times it is not.
    assert sorted(took)[2] < NOTICED, took


async def test_revoked_key_is_noticed(client: httpx.AsyncClient, system: Stack) -> None:
    person = await joined(client, system.mail_directory, new_address())
    path = f"/v1/admin/organizations/{person.org_id}/api-keys"
    made = (await client.post(path, json={"name": "ci"}, headers=person.headers)).json()
    answer = await client.post("/v1/auth/token", json={"api_key": made["key"]})
    for text in (made["key"], answer.json()["access_token"]):
        holder = Person(client, person.email, text)
        assert (await client.get("/v1/learnings", headers=holder.headers)).status_code == 200
    answer = await client.delete(f"{path}/{made['id']}", headers=person.headers)
    assert answer.is_success, answer.text
    for text in (made["key"], holder.token):
        await ended_within(client, Person(client, person.email, text), FORGOTTEN)
    assert (await client.get("/v1/learnings", headers=person.headers)).status_code == 200


@contextmanager
def nobody_restarts(stack: Stack) -> Iterator[None]:
    """Hold the supervisor still."""
    os.kill(stack.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(stack.pid, signal.SIGCONT)


def _is_learnings(body: dict[str, object]) -> bool:
    return isinstance(body["detail"], str)


def _is_runs(body: dict[str, object]) -> bool:
    inner = body["error"]
    return isinstance(inner, dict) and body["detail"] == inner["message"]


def _is_agents(body: dict[str, object]) -> bool:
    inner = body["error"]
    return isinstance(inner, dict) and body["message"] == inner["message"]


def _is_teams(body: dict[str, object]) -> bool:
    return body == {"error": "service temporarily unavailable"}


LOGINS = (
    ("/v1/auth/token", {"email": "a@example.com", "password": "x"}, _is_learnings),
    ("/v1/auth/register", {"email": "a@example.com", "password": "x"}, _is_learnings),
    ("/api/v1/auth/login", {"email": "a@example.com", "password": "x"}, _is_runs),
    ("/api/v0/auth/login", {"user": "a", "pass": "x"}, _is_agents),
    ("/api/v0/auth/internal", {"user": "a", "pass": "x"}, _is_agents),
    ("/api/auth/device", {"token": ADA.token}, _is_teams),
)


async def test_auth_that_was_killed_logs_nobody_out(make_stack: MakeStack) -> None:
    stack = make_stack(GUILDHALL_RATE_LIMITS=RATES)
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=20) as client:
        known = await joined(client, stack.mail_directory, new_address())
        fresh = Person(client, known.email)
        await fresh.log_in()
        assert (await client.get("/v1/learnings", headers=known.headers)).status_code == 200
        with nobody_restarts(stack):
            stack.kill_child("auth")
            await _works_on(client, known)
            await _must_come_back(client, fresh)
            await _logins_must_come_back(client)
        async with asyncio.timeout(60):
            while (await client.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.1)
        for person in (known, fresh):
            await _comes_back(client, person)
        await fresh.log_in()


async def _comes_back(client: httpx.AsyncClient, person: Person) -> None:
    """Whoever is asked to come back and does so is served soon; auth may still be given a rest."""
    async with asyncio.timeout(60):
        while (answer := await client.get("/v1/learnings", headers=person.headers)).is_error:
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.1)


async def _works_on(client: httpx.AsyncClient, person: Person) -> None:
    """Whom the gateway knows works on, reading and writing."""
    for number in range(10):
        body = {"summary": f"learned without auth {number}"}
        answer = await client.post("/v1/learnings", json=body, headers=person.headers)
        assert answer.status_code == 201, answer.text
        answer = await client.get("/v1/learnings", headers=person.headers)
        assert answer.status_code == 200
        assert answer.json()["total"] == number + 1


async def _must_come_back(client: httpx.AsyncClient, person: Person) -> None:
    """Whom the gateway does not know yet is asked to come back; nobody is told to log in."""
    for path in ("/v1/learnings", "/api/v1/runs", "/api/v0/agents", "/api/account"):
        for credential in (person.token, "trw_live_" + secrets.token_urlsafe(32)):
            headers = {"authorization": f"Bearer {credential}"}
            answer = await client.get(path, headers=headers)
            assert answer.status_code == 503, path
            assert int(answer.headers["retry-after"]) >= 1


async def _logins_must_come_back(client: httpx.AsyncClient) -> None:
    for path, body, is_shape in LOGINS:
        headers, content = {}, httpx.Request("POST", "http://x", json=body).content
        if path == "/api/auth/device":
            headers = ADA.headers("POST", path, content)
        headers["content-type"] = "application/json"
        answer = await client.post(path, content=content, headers=headers)
        assert answer.status_code == 503, (path, answer.text)
        assert int(answer.headers["retry-after"]) >= 1
        assert is_shape(answer.json()), answer.text
