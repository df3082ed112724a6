"""Who gets a socket (teams contract, section 10.1)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from services.teams.socket.sockets import SocketLimits
from shared.principal import ANONYMOUS, ASSERTION_HEADER, Kind, Principal, sign_assertion
from tests.services.teams.socket_support import Served, served, until
from tests.support.postgres import DatabaseUrls
from tests.support.service import ASSERTION_KEY, asserting, person

PATH = "/socket/websocket?vsn=2.0.0"


@pytest.fixture(scope="module")
async def service(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    limits = SocketLimits(total=5, each=3, tick=0.01)
    async with served(urls, auth_url, limits) as running:
        yield running


async def refused(
    service: Served,
    principal: Principal | None,
    path: str = PATH,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Ask for a socket and be refused; give the answer."""
    with pytest.raises(InvalidStatus) as refusal:
        await service.dial(principal, path, headers=headers or {})
    answer = refusal.value.response
    return httpx.Response(
        answer.status_code, headers=dict(answer.headers), content=bytes(answer.body)
    )


async def test_a_machine_gets_a_socket(service: Served) -> None:
    connection = await service.dial(service.machine().principal)
    assert connection.response is not None
    assert connection.response.headers.get("Sec-WebSocket-Extensions") is None
    assert "Server" not in connection.response.headers
    await connection.close()


@pytest.mark.parametrize("query", ["", "?vsn=2.0.0", "?ticket=1.2.3&vsn=2.0.0", "?vsn=2.1.0"])
async def test_the_version_may_be_left_out(service: Served, query: str) -> None:
    connection = await service.dial(service.machine().principal, f"/socket/websocket{query}")
    await connection.close()


async def test_another_version_is_refused(service: Served) -> None:
    answer = await refused(service, service.machine().principal, "/socket/websocket?vsn=1.0.0")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "principal",
    [None, ANONYMOUS, person(), Principal(Kind.API_KEY, "key_x"), Principal(Kind.SERVICE, "auth")],
    ids=lambda principal: "nobody" if principal is None else str(principal.kind),
)
async def test_only_machines_get_one(service: Served, principal: Principal | None) -> None:
    answer = await refused(service, principal)
    assert answer.status_code == 403
    assert isinstance(answer.json()["error"], str)


async def test_the_gateway_must_vouch_for_it(service: Served) -> None:
    machine = service.machine().principal
    now = time.time()
    for assertion in (
        "",
        "x",
        "a.b.c",
        sign_assertion(b"x" * 32, "teams", machine, now),
        sign_assertion(ASSERTION_KEY, "runs", machine, now),
        sign_assertion(ASSERTION_KEY, "teams", machine, now - 60),
        sign_assertion(ASSERTION_KEY, "teams", machine, now + 3_600),
    ):
        answer = await refused(service, None, headers={ASSERTION_HEADER: assertion})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "path", ["/", "/socket", "/socket/longpoll", "/socket/websocket/x", "/api"]
)
async def test_there_are_no_sockets_elsewhere(service: Served, path: str) -> None:
    answer = await refused(service, service.machine().principal, path)
    assert answer.status_code == 404
    assert answer.json()["error"] == "not_found"


async def test_long_polling_is_not_offered(service: Served) -> None:
    headers = asserting("teams", service.machine().principal)
    for path in ("/socket/longpoll", "/socket/websocket"):
        assert (await service.client.get(path, headers=headers)).status_code == 404


async def test_a_handshake_that_is_none_is_refused(service: Served) -> None:
    headers = {
        **asserting("teams", service.machine().principal),
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "short",
    }
    answer = await service.client.get(PATH, headers=headers)
    assert answer.status_code == 400
    assert len(service.sockets) == 0


async def test_a_machine_has_only_so_many(service: Served) -> None:
    machine = service.machine()
    sockets = [await service.dial(machine.principal) for _ in range(3)]
    answer = await refused(service, machine.principal)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    await (await service.dial(service.machine().principal)).close()
    await sockets.pop().close()
    await until(lambda: len(service.sockets) == 2)
    sockets.append(await service.dial(machine.principal))
    for socket in sockets:
        await socket.close()
    await until(lambda: len(service.sockets) == 0)


async def test_the_process_has_only_so_many(service: Served) -> None:
    sockets = [await service.dial(service.machine().principal) for _ in range(5)]
    answer = await refused(service, service.machine().principal)
    assert answer.status_code == 503
    for socket in sockets:
        await socket.close()
    await until(lambda: len(service.sockets) == 0)


async def test_a_machine_that_opens_a_socket_was_seen(service: Served) -> None:
    machine = service.machine()
    await (await service.dial(machine.principal)).close()
    assert machine.token in service.sockets.sightings._said


async def test_none_is_opened_once_the_process_stops(urls: DatabaseUrls, auth_url: str) -> None:
    async with served(urls, auth_url) as stopping:
        stopping.sockets.leave()
        answer = await refused(stopping, stopping.machine().principal)
        assert answer.status_code == 503
