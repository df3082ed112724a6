"""Sockets by bearer token, which end with the login behind them; a machine's do not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from websockets.exceptions import InvalidStatus

from gateway.credentials.eviction import subscriptions
from gateway.route_table import BEARER, TABLE, RouteTable
from gateway.upstream import Limits
from shared.contracts.auth import MachineRevoked, SessionRevoked
from shared.principal import Kind, verify_assertion
from tests.gateway.conftest import KEYS
from tests.gateway.sockets import MACHINE, UNHURRIED, SocketHouse, ended, limit, socket_house


@pytest.fixture
async def by_bearer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SocketHouse]:
    """A house whose sockets are opened by bearer token."""
    rows = [
        replace(row, authenticators=BEARER, rate_class="runs", failure_class="")
        if row.is_socket
        else row
        for row in TABLE
    ]
    monkeypatch.setattr("gateway.app.ROUTES", RouteTable(rows, ()))
    async with socket_house(Limits(tick=0.05)) as built:
        yield built


async def test_sockets_by_bearer_token(by_bearer: SocketHouse) -> None:
    home = by_bearer.home
    with pytest.raises(InvalidStatus) as raised:
        async with by_bearer.socket():
            pass
    assert raised.value.response.status_code == 401, "a ticket is nothing here"
    async with by_bearer.socket(path="/socket/any?x=1", additional_headers=home.bearer()) as one:
        await one.send("hello")
        assert await one.recv() == "hello"
        request = by_bearer.service.last.request
        assert request is not None
        assert request.path == "/socket/any?x=1"
        assertion = request.headers["x-guildhall-assertion"]
        assert verify_assertion(KEYS["teams"], "teams", assertion, time.time()).kind is Kind.USER


async def test_login_that_is_revoked_ends_its_sockets(by_bearer: SocketHouse) -> None:
    home = by_bearer.home
    handlers = {one.event: one.handler for one in subscriptions(home.gateway.sockets)}
    mine = home.bearer(home.auth.token("ses_1"))
    other = home.bearer(home.auth.token("ses_2", sub="usr_2"))
    async with (
        by_bearer.socket(path="/socket", additional_headers=mine) as ending,
        by_bearer.socket(path="/socket", additional_headers=other) as staying,
    ):
        event = SessionRevoked(session_id="ses_1", account_id="usr_1")
        await handlers[SessionRevoked](event)
        assert await ended(ending) == (1008, "login revoked")
        await staying.send("hello")
        assert await staying.recv() == "hello"


async def test_login_that_ends_unheard_ends_its_sockets(by_bearer: SocketHouse) -> None:
    """An event may be missed, and auth away: then it is asked until it has answered."""
    home = by_bearer.home
    limit(home, replace(UNHURRIED, renewal=0.02))
    mine = home.bearer(home.auth.token("ses_3"))
    other = home.bearer(home.auth.token("ses_4", sub="usr_2"))
    async with (
        by_bearer.socket(path="/socket", additional_headers=mine) as ending,
        by_bearer.socket(path="/socket", additional_headers=other) as staying,
    ):
        home.auth.sessions["ses_3"] = {"active": False, "role": "", "scopes": []}
        home.gateway.credentials.clear()
        assert await ended(ending) == (1008, "login over")
        await staying.send("hello")
        assert await staying.recv() == "hello"


async def test_machine_that_is_revoked_is_the_services_to_end() -> None:
    """Its protocol has a goodbye without which clients never come back (teams contract, 10.5)."""
    async with socket_house() as sockets, sockets.socket() as socket:
        holder = sockets.home.gateway.sockets
        handlers = {one.event: one.handler for one in subscriptions(holder)}
        event = MachineRevoked(token=MACHINE.token, account_id="usr_1", version=1)
        await handlers[MachineRevoked](event)
        await socket.send("hello")
        assert await socket.recv() == "hello"
