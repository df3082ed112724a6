"""No route of any service answers a request that the gateway did not introduce."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from shared.errors import Unauthenticated
from shared.middleware import AssertionGuard
from shared.principal import ANONYMOUS, ASSERTION_HEADER, Kind, Principal, sign_assertion
from shared.secret import encode_base64url
from shared.service import Service
from shared.settings import SERVICES
from tests.support.postgres import DatabaseServer
from tests.support.service import ASSERTION_KEY, asserting, client_of, person, settings_for

Factory = pytest.TempPathFactory

OWN = {"/health", "/health/ready", "/metrics"}


def service_named(name: str) -> Service:
    declared = importlib.import_module(f"services.{name}.app").SERVICE
    assert isinstance(declared, Service)
    return declared


def routes_of(service: Service) -> list[tuple[str, str]]:
    """Every method and path of a service, and some that it does not have."""
    rows = [(row.method, re.sub(r"{\w+}", "x", row.path)) for row in service.operations]
    strangers = ["/", "/nothing", "/v1/nothing", "/api/v1/x", "/api/x", "/api/v0/x", "/socket/x"]
    return [*rows, ("GET", "/internal/openapi.json"), *(("GET", path) for path in strangers)]


@pytest.fixture(scope="module", params=SERVICES)
async def running(
    request: pytest.FixtureRequest, database_server: DatabaseServer, tmp_path_factory: Factory
) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
    service = service_named(request.param)
    own = {
        "GUILDHALL_SERVE_BACKGROUND": False,
        "GUILDHALL_SIGNING_KEYS": encode_base64url(bytes(32)),
        "GUILDHALL_ROOT_SECRET": bytes(32),
        "GUILDHALL_DATA_DIR": tmp_path_factory.mktemp(service.name),
    }
    async with database_server.clone() as urls:
        settings = settings_for(service, urls, **own)
        async with client_of(service, settings) as client:
            yield service, client


def forged(service: str) -> dict[str, str]:
    """Assertions that must not hold, by what is wrong with them."""
    me, now = person(), time.time()
    good = sign_assertion(ASSERTION_KEY, service, me, now)
    payload, _, mac = good.partition(".")
    other = sign_assertion(ASSERTION_KEY, service, person(org="org_two"), now)
    return {
        "missing": "",
        "expired": sign_assertion(ASSERTION_KEY, service, me, now - 31),
        "from the future": sign_assertion(ASSERTION_KEY, service, me, now + 60),
        "another key": sign_assertion(bytes(32), service, me, now),
        "another service": sign_assertion(ASSERTION_KEY, f"not-{service}", me, now),
        "another payload": f"{other.partition('.')[0]}.{mac}",
        "cut": payload,
        "padded": good + "=",
        "nonsense": "not.an.assertion",
        "no ascii": "ä.ö",
    }


async def test_without_a_valid_assertion_every_route_is_closed(
    running: tuple[Service, httpx.AsyncClient],
) -> None:
    service, client = running
    for reason, assertion in forged(service.name).items():
        named = [(ASSERTION_HEADER.encode(), assertion.encode("latin-1"))]
        headers = named if assertion else []
        for method, path in routes_of(service):
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == 401, (reason, method, path, answer.text)
            assert answer.json()
            assert answer.headers["www-authenticate"]


async def test_who_shows_no_credential_reaches_public_routes_only(
    running: tuple[Service, httpx.AsyncClient],
) -> None:
    service, client = running
    for row in service.operations:
        if row.public:
            continue
        path = re.sub(r"{\w+}", "x", row.path)
        answer = await client.request(row.method, path, headers=asserting(service.name, ANONYMOUS))
        assert answer.status_code == 401, (row.method, path, answer.text)


async def test_people_do_not_reach_internal_routes(
    running: tuple[Service, httpx.AsyncClient],
) -> None:
    service, client = running
    for row in service.operations:
        if row.internal:
            answer = await client.request(
                row.method, row.path, headers=asserting(service.name, person())
            )
            assert answer.status_code == 401, (row.method, row.path)


async def test_its_own_health_and_metrics_need_nothing(
    running: tuple[Service, httpx.AsyncClient],
) -> None:
    _, client = running
    for path in OWN:
        # No service has its siblings here, and one that needs them says so.
        assert (await client.get(path)).status_code in (200, 503), path


async def test_an_assertion_seen_before_still_expires() -> None:
    now = 1_000.0
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["principal"].subject)

    async def ask(assertion: str) -> None:
        headers = [(ASSERTION_HEADER.encode(), assertion.encode())]
        scope = {"type": "http", "path": "/v1/x", "headers": headers}
        await guard(scope, nothing, nothing)

    async def nothing(*_: object) -> Any:
        raise AssertionError("nobody asks")

    guard = AssertionGuard(app, "learnings", ASSERTION_KEY, clock=lambda: now)
    first = sign_assertion(ASSERTION_KEY, "learnings", person(account="usr_1"), now)
    second = sign_assertion(ASSERTION_KEY, "learnings", person(account="usr_2"), now)
    for assertion in (first, second, first):
        await ask(assertion)
    now += 29
    await ask(first)
    now += 1
    for assertion in (first, second, first[:-1]):
        with pytest.raises(Unauthenticated):
            await ask(assertion)
    assert seen == ["usr_1", "usr_2", "usr_1", "usr_1"]


async def test_the_siblings_key_vouches_for_services_and_for_nobody_else() -> None:
    sibling_key, seen = bytes(range(32, 64)), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["principal"].subject)

    async def ask(guard: AssertionGuard, principal: Principal) -> None:
        assertion = sign_assertion(sibling_key, "teams", principal, time.time())
        headers = [(ASSERTION_HEADER.encode(), assertion.encode())]
        await guard({"type": "http", "path": "/internal/x", "headers": headers}, nothing, nothing)

    async def nothing(*_: object) -> Any:
        raise AssertionError("nobody asks")

    guard = AssertionGuard(app, "teams", ASSERTION_KEY, sibling_key)
    await ask(guard, Principal(Kind.SERVICE, "auth"))
    assert seen == ["auth"]
    for kind in set(Kind) - {Kind.SERVICE}:
        with pytest.raises(Unauthenticated):
            await ask(guard, Principal(kind, "usr_one", "org_one", "owner", ("*",)))
    with pytest.raises(Unauthenticated):
        await ask(AssertionGuard(app, "teams", ASSERTION_KEY), Principal(Kind.SERVICE, "auth"))
