"""Schemathesis against our own OpenAPI document, through the gateway: bad input is never a 500."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import count
from typing import Any, Final

import asyncpg
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.services.runs.suite_texts import SUITE
from tests.support.stack import Stack, running_stack
from tests.system.people import Person, joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]
EXAMPLES: Final = 4
"""Requests per operation and mode; making them up costs far more than answering them."""
FEWER: Final = {"runs": 2}
"""Where tests of doors and bodies say the same in less time."""
PATIENCE_S: Final = 10.0
ENDLESS: Final = "/v1/learnings/stream"
SURFACES: Final = {
    "agents: accounts and roles": "/api/v0/(auth|role|service)",
    "agents": "/api/v0/",
    "runs: accounts": "/api/v1/auth/",
    "runs": "/api/v1/",
    "teams": "/api/",
    "auth": "/v1/auth/",
    "learnings": "/v1/(learnings|sync|outcomes|submissions|intel)",
    "telemetry and webhooks": "/v1/(telemetry|webhooks|installations|admin)",
}
"""Parts of about the same length, so that several workers share the time."""
REST: Final = "the rest"
AGENTS: Final = "/api/v0/"
EVENTS: Final = "/api/v0/sessions/{id}/events"
"""Has no end either, if there is such a session."""
SUITES: Final = "/api/v1/suites/{name}"
RUNS: Final = "/api/v1/runs/{id}"
ADDRESSES: Final = count(1)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Stack]:
    """A system that believes our word for where a request comes from.

    Otherwise the limits on guessing passwords would soon answer for everything behind them.
    """
    rates = "learnings=1000000/60 auth=1000000/60 runs=1000000/60"
    with running_stack(
        GUILDHALL_RATE_LIMITS=rates,
        GUILDHALL_TRUSTED_PROXIES="127.0.0.1/32",
        GUILDHALL_RUNS_CHROMIUM="/nowhere/chromium",  # what is queued by chance ends at once
    ) as stack:
        yield stack


@pytest.mark.parametrize("surface", [*SURFACES, REST])
async def test_no_request_is_answered_with_a_server_error(fuzzed: Stack, surface: str) -> None:
    failures: list[str] = []
    async with httpx.AsyncClient(base_url=fuzzed.base_url, timeout=20) as client:
        document = (await client.get("/openapi.json")).json()
        caller = await administrator(fuzzed, client)
        for operation in operations(document, surface):
            known = await made_for(caller, operation.path)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                # Some operations end the session or the account; what follows would be all 401.
                if not await is_known(caller):
                    caller = await administrator(fuzzed, client)
                send_all = partial(call_all, examples=FEWER.get(surface, EXAMPLES))
                send_all(fuzzed.base_url, caller.headers, operation, mode, failures, known)
    assert failures == []


def operations(document: dict[str, Any], surface: str) -> list[Any]:
    """Give the operations of one part; every operation is in exactly one."""
    everything: Any = schemathesis.openapi.from_dict(document).exclude(path=ENDLESS)
    found = [result.ok() for result in everything.get_all_operations()]
    return [operation for operation in found if surface_of(operation.path) == surface]


def surface_of(path: str) -> str:
    """Name the part that a path belongs to."""
    return next((name for name, paths in SURFACES.items() if re.match(paths, path)), REST)


def new_address() -> dict[str, str]:
    """Say that a request comes from somewhere that none came from before."""
    number = next(ADDRESSES)
    return {"x-forwarded-for": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"}


async def administrator(stack: Stack, client: httpx.AsyncClient) -> Person:
    """Make somebody who may do most: owner of an organization and platform administrator."""
    client.headers.update(new_address())
    email = f"fuzz{next(ADDRESSES)}@example.com"
    person = await joined(client, stack.mail_directory, email)
    connection = await asyncpg.connect(stack.admin_url())
    try:
        await connection.execute(
            "UPDATE auth.account SET platform_admin = true WHERE email = $1", email
        )
    finally:
        await connection.close()
    await person.log_in()
    return person


async def is_known(person: Person) -> bool:
    """Tell whether a person's token is still worth something."""
    answer = await person.client.get("/v1/auth/me", headers=person.headers)
    return answer.status_code == 200


async def made_for(person: Person, path: str) -> dict[str, str]:
    """Make what the parameters of a path may name; nobody guesses an id."""
    if path.startswith((SUITES, RUNS)):
        return await made_for_runs(person, path)
    if not path.startswith(AGENTS) or "{" not in path or path == EVENTS:
        return {}
    name, room = f"fuzz-{next(ADDRESSES)}", path.split("/")[3]
    fields: dict[str, dict[str, Any]] = {
        "agents": {"name": name, "model": "m"},
        "roles": {"name": name, "rules": []},
        "role-bindings": {"role_name": "viewer", "principal_name": name},
        "service-accounts": {"user": name, "pass": name},
        "sessions": {},
        "workspaces": {"name": name},
    }

    async def made(path: str, body: dict[str, Any]) -> str:
        answer = await person.client.post(AGENTS + path, headers=person.headers, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    found = {"id": await made(room, fields[room])}
    if "{sid}" in path:
        found["sid"] = await made(f"workspaces/{found['id']}/sessions", {"name": name})
    return found


async def made_for_runs(person: Person, path: str) -> dict[str, str]:
    """Make a suite, and a run that has ended."""
    headers = person.headers
    saved = await person.client.post("/api/v1/suites", headers=headers, json={"yaml": SUITE})
    assert saved.status_code == 200, saved.text
    name = saved.json()["file"]
    if path.startswith(SUITES):
        return {"name": name, "n": "1"}
    queued = await person.client.post("/api/v1/runs", headers=headers, json={"suite": name})
    assert queued.status_code == 200, queued.text
    run_id = queued.json()["run_id"]
    path = f"/api/v1/runs/{run_id}"
    assert (await person.client.post(f"{path}/cancel", headers=headers)).status_code == 200
    async with asyncio.timeout(30):
        while (await person.client.get(path, headers=headers)).json()["finished_at"] is None:
            await asyncio.sleep(0.1)
    return {"id": run_id}


def call_all(
    base_url: str,
    credentials: dict[str, str],
    operation: Any,
    mode: GenerationMode,
    failures: list[str],
    known: dict[str, str],
    *,
    examples: int,
) -> None:
    """Send generated requests to one operation, and add what went wrong.

    Every second one is about something that is there.
    """
    numbers = count()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any) -> None:
        what = f"{case.method} {case.path}"
        if known and next(numbers) % 2 == 0:
            case.path_parameters.update(known)
        try:
            answer = client.send(request_of(client, case, credentials))
        except httpx.TimeoutException:
            failures.append(f"{what}: no answer within {PATIENCE_S:.0f} s")
            return
        except httpx.RemoteProtocolError as error:
            failures.append(f"{what}: {error}")
            return
        if answer.status_code >= 500 or not answer.headers.get("x-ratelimit-limit"):
            failures.append(f"{what}: {answer.status_code} {answer.text[:200]}")

    with closing(httpx.Client(base_url=base_url, timeout=PATIENCE_S)) as client:
        try:
            send()
        except Unsatisfiable:
            # An operation without any input cannot be called wrongly.
            assert mode is GenerationMode.NEGATIVE


def request_of(client: httpx.Client, case: Any, credentials: dict[str, str]) -> httpx.Request:
    """Write a generated case down as a request of ours."""
    parts = case.as_transport_kwargs(base_url=str(client.base_url))
    headers = {
        name.lower(): value.encode("latin-1", "replace") if isinstance(value, str) else value
        for name, value in (parts.get("headers") or {}).items()
    }
    ours = {name: value.encode() for name, value in (credentials | new_address()).items()}
    return client.build_request(
        parts["method"],
        parts["url"],
        params=parts.get("params"),
        json=parts.get("json"),
        content=parts.get("data"),
        headers=headers | ours,
    )
