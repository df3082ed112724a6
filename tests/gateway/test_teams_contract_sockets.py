"""The teams contract, row by row, where it is the gateway's: section 10.1, tickets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from gateway.websocket.sockets import SocketLimits
from shared.principal import Kind
from shared.secret import encode_base64url
from tests.gateway.caller import calling
from tests.gateway.conftest import House
from tests.gateway.fake_service import answering, plain
from tests.gateway.machines import Machine
from tests.gateway.socket_bytes import handshake
from tests.gateway.sockets import answering_handshakes, limit, socket_house, target

ADA = Machine(bytes(range(32)))
NOT_FOUND = {"errors": {"detail": "Not Found"}, "error": "not_found"}


def _at(seconds: float) -> Callable[[], str]:
    return lambda: ADA.ticket(time.time() + seconds)


def _forged() -> str:
    stamp, token, _ = ADA.ticket().split(".")
    return f"{stamp}.{token}.{Machine().sign(f'{stamp}.{token}'.encode())}"


TICKETS: dict[str, Callable[[], str]] = {
    "expired": _at(-60),
    "of the future": _at(60),
    "wrong key": _forged,
    "missing parts": lambda: ADA.ticket().rpartition(".")[0],
    "bad base64": lambda: ADA.ticket() + "!",
    "bad token": lambda: ADA.ticket().replace("trc_ak_", "trc_xx_"),
    "another signature": lambda: ADA.ticket()[:-86] + encode_base64url(bytes(64)),
    "empty": lambda: "",
}


@pytest.mark.parametrize("fault", [*TICKETS, "no parameter"])
async def test_bad_ticket_is_refused_before_the_service_hears_of_it(
    home: House, fault: str
) -> None:
    query = f"?ticket={TICKETS[fault]()}&vsn=2.0.0" if fault in TICKETS else "?vsn=2.0.0"
    async with calling(home.port) as caller:
        caller.send(handshake(f"/socket/websocket{query}"))
        answer = await caller.answer()
    assert (answer.status, answer.body) == (403, b'{"error":"forbidden"}')
    assert not home.services["teams"].asked


async def test_service_hears_the_machine_and_the_rest_of_the_query(home: House) -> None:
    home.services["teams"].behave = answering_handshakes(plain(404, b"{}"))
    async with calling(home.port) as caller:
        path = f"/socket/websocket?a=%2f&ticket={ADA.ticket()}&vsn=2.0.0&token=x"
        caller.send(handshake(path))  # no Origin is needed
        assert (await caller.answer()).status == 404
    (asked,) = home.services["teams"].asked
    assert asked.target == "/socket/websocket?a=%2f&vsn=2.0.0&token=x"
    principal = home.principal("teams")
    assert (principal.kind, principal.subject) == (Kind.MACHINE, ADA.token)
    everything = f"{asked.target}{asked.headers}"
    assert ADA.ticket().rpartition(".")[2] not in everything


async def test_long_polling_goes_on_without_a_name(home: House) -> None:
    """The service has no such address and says so."""
    home.services["teams"].behave = answering(plain(404, json.dumps(NOT_FOUND).encode()))
    answer = await home.client.get(f"/socket/longpoll?ticket={ADA.ticket()}&vsn=2.0.0")
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert home.services["teams"].asked[-1].target == "/socket/longpoll?vsn=2.0.0"
    assert home.principal("teams").is_anonymous


async def test_twenty_sockets_and_no_more() -> None:
    async with socket_house() as sockets:
        limit(sockets.home, SocketLimits())
        async with AsyncExitStack() as stack:
            for _ in range(20):
                await stack.enter_async_context(sockets.socket(ADA))
            async with calling(sockets.home.port) as caller:
                caller.send(handshake(target(ADA)))
                answer = await caller.answer()
        assert (answer.status, answer.body) == (429, b'{"error":"Too many sockets are open"}')
        assert 0 < int(answer.header("retry-after")) <= 60
