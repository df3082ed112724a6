"""Fixtures of the bus tests: both brokers, transports that are closed, and a small service."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from shared.bus import Relay, Transport
from tests.shared.bus.harness import (
    Broker,
    House,
    RabbitBroker,
    new_house,
    open_transport,
    postgres_broker,
)
from tests.support.postgres import DatabaseServer
from tests.support.rabbit import Rabbit, server_program


@pytest.fixture(scope="session")
def rabbit() -> Iterator[Rabbit]:
    if server_program() is None and os.environ.get("CI") != "true":
        pytest.skip("RabbitMQ is not installed: make test installs it where it may")
    with Rabbit.running() as rabbit:
        yield rabbit


@pytest.fixture(params=["postgres", pytest.param("rabbit", marks=pytest.mark.rabbit)])
async def broker(
    request: pytest.FixtureRequest, database_server: DatabaseServer
) -> AsyncIterator[Broker]:
    """Each of the two, in turn: whatever asks for it is the conformance suite."""
    if request.param == "rabbit":
        yield RabbitBroker(request.getfixturevalue("rabbit"))
        return
    async with postgres_broker(database_server) as broker:
        yield broker


@pytest.fixture
async def process(broker: Broker) -> AsyncIterator[Callable[[], Transport]]:
    """Open another transport, as another process would."""
    async with AsyncExitStack() as stack:

        def open_another() -> Transport:
            transport = open_transport(broker.url)
            stack.push_async_callback(transport.close)
            return transport

        yield open_another


@pytest.fixture
async def transport(process: Callable[[], Transport]) -> Transport:
    return process()


@pytest.fixture
async def house(database_server: DatabaseServer, tmp_path: Path) -> AsyncIterator[House]:
    async with new_house(database_server, tmp_path) as house:
        yield house


@pytest.fixture
async def relay(house: House, transport: Transport) -> AsyncIterator[Relay]:
    async with Relay(house.database, house.schema, transport) as relay:
        yield relay
