"""What the bus tests share: brokers that can be switched off, a small service, and patience."""

from __future__ import annotations

import asyncio
import json
import secrets
import string
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from guildhall.provision import with_database
from shared.bus import Event, Message, Subscription, Transport, Worker, outbox
from shared.bus.postgres import PostgresTransport
from shared.bus.rabbit_transport import RabbitTransport
from shared.db import Connection, Database
from shared.errors import NotFound
from shared.migrate import migrate
from tests.support.postgres import DatabaseServer
from tests.support.rabbit import Rabbit

PATIENCE = 60.0
"""Seconds after which something that should happen counts as not happening."""

LEASE = 3.0
"""Seconds until PostgreSQL gives up a dead consumer in these tests."""


class Broker(Protocol):
    """What carries the messages, seen as a machine that can be switched off."""

    @property
    def url(self) -> str: ...

    async def stop(self) -> None: ...

    async def start(self) -> None: ...


class RabbitBroker:
    """RabbitMQ, really stopped and started."""

    def __init__(self, rabbit: Rabbit) -> None:
        self._rabbit = rabbit
        self.url = rabbit.url

    async def stop(self) -> None:
        await asyncio.to_thread(self._rabbit.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self._rabbit.start)


class PostgresBroker:
    """A database of its own, closed to everyone; the server itself is shared by all tests."""

    def __init__(self, url: str, admin: str) -> None:
        self.url = url
        self._admin = admin

    async def stop(self) -> None:
        await switch_database(self._admin, on=False)

    async def start(self) -> None:
        await switch_database(self._admin, on=True)


async def switch_database(admin: str, *, on: bool) -> None:
    """Close the database of this address to everyone and end its connections, or open it again."""
    name = urlsplit(admin).path.removeprefix("/")
    connection = await asyncpg.connect(with_database(admin, "postgres"))
    try:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {str(on).lower()}")
        if not on:
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                name,
            )
    finally:
        await connection.close()


@asynccontextmanager
async def postgres_broker(server: DatabaseServer) -> AsyncIterator[Broker]:
    async with server.clone() as urls:
        broker = PostgresBroker(urls.url("bus"), urls.admin)
        yield broker
        await broker.start()


def open_transport(url: str) -> Transport:
    """Open a transport that notices things sooner than in production."""
    if url.startswith("amqp"):
        return RabbitTransport(url, watch_s=1.0)
    return PostgresTransport(url, lease_s=LEASE, poll_s=0.1)


def letters() -> str:
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(12))


def new_kind() -> str:
    return f"{letters()}.noted.v1"


def message(kind: str, payload: bytes = b"{}") -> Message:
    return Message(uuid4(), kind, datetime.now(UTC), payload, None)


async def eventually(
    condition: Callable[[], Awaitable[object] | object], patience: float = PATIENCE
) -> None:
    """Wait until the condition holds; it may be a coroutine function."""
    async with asyncio.timeout(patience):
        while True:
            result = condition()
            if isinstance(result, Awaitable):
                result = await result
            if result:
                return
            await asyncio.sleep(0.01)


class NotedBase(Event):
    """Something was noted; each test's service says a kind of its own."""

    note: str = ""


class House:
    """A service with a database, tables for the bus, and a table for effects."""

    def __init__(self, database: Database, schema: str, admin: str) -> None:
        self.database = database
        self.schema = schema
        self.admin = admin

        class Noted(NotedBase):
            kind: ClassVar[str] = f"{schema}.noted.v1"
            publisher: ClassVar[str] = schema

        self.Noted = Noted

    async def say(self, *notes: str) -> list[NotedBase]:
        """Say events in one transaction, as an operation would."""
        events = [self.Noted(note=note) for note in notes]
        async with self.database.transaction() as connection:
            await outbox.add_all(connection, events)
        return [*events]

    def effect(self, consumer: str) -> Callable[[Connection, Any], Awaitable[None]]:
        """Make a handler whose effect can be counted."""

        async def handler(connection: Connection, event: NotedBase) -> None:
            insert = self._sql("INSERT INTO {schema}.effect (consumer, note) VALUES ($1, $2)")
            await connection.execute(insert, consumer, event.note)

        return handler

    async def effects(self, consumer: str) -> list[str]:
        """Give the notes that a consumer's handler has written, in order."""
        rows = await self.fetch(
            "SELECT note FROM {schema}.effect WHERE consumer = $1 ORDER BY id", consumer
        )
        return [row["note"] for row in rows]

    async def fetch(self, sql: str, *arguments: object) -> Sequence[asyncpg.Record]:
        async with self.database.connection() as connection:
            return await connection.fetch(self._sql(sql), *arguments)

    async def count(self, table: str) -> int:
        """Count the rows of ``outbox``, ``inbox``, ``attempt``, ``parked`` or ``effect``."""
        return len(await self.fetch("TABLE {schema}." + table))

    def _sql(self, text: str) -> str:
        return text.format(schema=self.schema)

    async def switch(self, *, on: bool) -> None:
        """Open or close the service's database."""
        await switch_database(self.admin, on=on)


@asynccontextmanager
async def new_house(server: DatabaseServer, folder: Path) -> AsyncIterator[House]:
    """Build a service with a name of its own, so that its queues are its own too."""
    schema = letters()
    migrations = folder / schema
    migrations.mkdir()
    (migrations / "0001_tables.sql").write_text(
        "-- include: shared/bus/service.sql\n"
        f"CREATE TABLE {schema}.effect (id bigint GENERATED ALWAYS AS IDENTITY,"
        " consumer text NOT NULL, note text NOT NULL);\n"
    )
    async with server.clone("template0") as urls:
        await migrate(urls.admin, schema, migrations)
        database = await Database.connect(urls.admin)
        house = House(database, schema, urls.admin)
        try:
            yield house
        finally:
            await database.close()
            await house.switch(on=True)


def as_json(event: Event) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(event.model_dump_json())
    return loaded


QUICK = (0.05, 0.05, 0.05, 0.05)
"""Delays between attempts, in tests."""


def worker(house: House, transport: Transport, *subscriptions: Subscription[Any]) -> Worker:
    return Worker(house.database, house.schema, transport, subscriptions, retry_delays=QUICK)


def subscribed(house: House, consumer: str = "counter", **options: Any) -> Subscription[NotedBase]:
    return Subscription(consumer, house.Noted, house.effect(consumer), **options)


def failing(house: House, consumer: str, times: int) -> Subscription[NotedBase]:
    """Subscribe a handler that fails so many times before it works."""
    effect, seen = house.effect(consumer), []

    async def handler(connection: Connection, event: NotedBase) -> None:
        await effect(connection, event)
        seen.append(event)
        if len(seen) <= times:
            raise NotFound(f"failure {len(seen)}")

    return Subscription(consumer, house.Noted, handler)


def has_effects(house: House, consumer: str, *notes: str) -> Callable[[], Any]:
    async def check() -> bool:
        return sorted(await house.effects(consumer)) == sorted(notes)

    return check


def is_empty(house: House, *tables: str) -> Callable[[], Any]:
    async def check() -> bool:
        return not any([await house.count(table) for table in tables])

    return check
