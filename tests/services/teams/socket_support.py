"""A teams service on a real port, and clients that speak Phoenix to it."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Self

import asyncpg
import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.teams.app import SERVICE
from services.teams.machines.operations import Sightings
from services.teams.socket.protocol import SocketProtocol
from services.teams.socket.sockets import SocketLimits, Sockets
from shared.bus import Transport
from shared.db import Database
from shared.principal import Principal
from shared.service import Resources, create_app
from tests.services.teams.conftest import Machine, teams_settings
from tests.support.postgres import DatabaseUrls
from tests.support.service import ASSERTION_KEY, asserting
from tests.support.serving import serving

LIMIT = 15.0
"""Seconds after which something that should have come will not come any more."""


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.005)


class Phoenix:
    """One socket as a client has it; replies find their question by ``ref``.

    Attributes:
        told: what came without being asked, oldest first.
    """

    def __init__(self, connection: ClientConnection, token: str) -> None:
        self.connection = connection
        self.token = token
        self.told: asyncio.Queue[list[Any]] = asyncio.Queue()
        self.code: int | None = None
        self._replies: dict[str, asyncio.Future[list[Any]]] = {}
        self._refs = 0
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self.connection:
                message = json.loads(text)
                waiting = message[3] == "phx_reply" and self._replies.pop(message[1], None)
                if waiting:
                    waiting.set_result(message)
                else:
                    self.told.put_nowait(message)
        self.code = self.connection.close_code
        for reply in self._replies.values():
            reply.set_exception(ConnectionResetError("the socket ended before it answered"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()
        await self._reading

    async def ask(
        self, topic: str, event: str, payload: Any = None, join_ref: str | None = "1"
    ) -> dict[str, Any]:
        """Send a message and give what the reply carries: ``status`` and ``response``."""
        self._refs += 1
        ref = f"r{self._refs}"
        reply = self._replies[ref] = asyncio.get_running_loop().create_future()
        await self.say(join_ref, ref, topic, event, {} if payload is None else payload)
        message = await asyncio.wait_for(reply, LIMIT)
        assert message[:4] == [join_ref, ref, topic, "phx_reply"]
        answer: dict[str, Any] = message[4]
        return answer

    async def say(self, *parts: Any) -> None:
        """Send a message and expect nothing."""
        text = json.dumps(parts, ensure_ascii=False)
        try:
            text.encode()
        except UnicodeEncodeError:
            text = json.dumps(parts)
        await self.connection.send(text)

    async def join(self, topic: str, join_ref: str | None = "1") -> dict[str, Any]:
        """Join a topic; give the response."""
        answer = await self.ask(topic, "phx_join", join_ref=join_ref)
        assert answer["status"] == "ok", answer
        response: dict[str, Any] = answer["response"]
        return response

    async def push(self, team_id: str, content: Any) -> dict[str, Any]:
        """Push knowledge; give the answer."""
        return await self.ask(f"knowledge:{team_id}", "knowledge:push", {"content": content})

    async def next(self) -> list[Any]:
        """Give the next message that is no reply."""
        return await asyncio.wait_for(self.told.get(), LIMIT)

    async def nothing_else(self) -> None:
        """Check that nothing has come that was not taken: what is asked last is answered last."""
        await self.ask("phoenix", "heartbeat")
        assert self.told.empty(), self.told.get_nowait()

    async def ended(self) -> int | None:
        """Wait for the end; give the code of the Close."""
        await asyncio.wait_for(asyncio.shield(self._reading), LIMIT)
        return self.code


@dataclass
class Place:
    """Where a service listens.

    Attributes:
        url: its address.
        client: speaks HTTP to it.
        urls: its database.
    """

    url: str
    client: httpx.AsyncClient
    urls: DatabaseUrls

    def machine(self) -> Machine:
        """Give a machine that nobody has seen."""
        return Machine(self.client)

    async def team(self, *machines: Machine, **content: Any) -> str:
        """Make a team of some machines and give its id."""
        team_id: str = (await machines[0].make(**content))["id"]
        await self.add_members(team_id, [machine.token for machine in machines[1:]])
        return team_id

    async def add_members(self, team_id: str, tokens: Sequence[str]) -> None:
        """Make machines members, however many."""
        await self.execute(
            "INSERT INTO teams.membership (team_id, token) SELECT $1, unnest($2::text[])",
            team_id,
            list(tokens),
        )

    async def execute(self, statement: str, *values: Any) -> None:
        """Change rows behind the service's back."""
        connection = await asyncpg.connect(self.urls.url("teams"), timeout=10)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close(timeout=5)

    async def stop_the_clock(self) -> None:
        """Let the second after a push last until ``may_push_again``."""
        await self.execute(
            "UPDATE teams.machine SET pushed_at = pushed_at + interval '1 hour'"
            " WHERE pushed_at > now() - interval '5 minutes'"
        )

    async def may_push_again(self) -> None:
        """Let the second pass that lies between two pushes of a machine."""
        await self.execute("UPDATE teams.machine SET pushed_at = '-infinity'")

    async def open(self, machine: Machine, **options: Any) -> Phoenix:
        """Open a socket."""
        connection = await self.dial(machine.principal, **options)
        return Phoenix(connection, machine.token)

    async def joined(self, machine: Machine, *teams: str) -> Phoenix:
        """Open a socket and join the knowledge of teams; ``join_ref`` counts from 0."""
        socket = await self.open(machine)
        for number, team_id in enumerate(teams):
            await socket.join(f"knowledge:{team_id}", str(number))
        return socket

    async def dial(
        self,
        principal: Principal | None,
        path: str = "/socket/websocket?vsn=2.0.0",
        **options: Any,
    ) -> ClientConnection:
        """Open a connection for any principal, to read frames by hand."""
        headers = {} if principal is None else asserting("teams", principal)
        return await connect(
            self.url.replace("http", "ws", 1) + path,
            additional_headers=headers | options.pop("headers", {}),
            **({"max_size": None, "ping_interval": None, "proxy": None} | options),
        )


@dataclass
class Served(Place):
    """A service inside the test's own process; ``sockets`` are those it has."""

    sockets: Sockets


@asynccontextmanager
async def served(
    urls: DatabaseUrls, auth_url: str, limits: SocketLimits | None = None, **values: Any
) -> AsyncIterator[Served]:
    """Run the service, its relay too, with limits of the test's own."""
    opened: list[Sockets] = []

    @asynccontextmanager
    async def open_resources(
        settings: Any, database: Database, transport: Transport
    ) -> AsyncIterator[Resources]:
        async with (
            SERVICE.open_resources(settings, database, transport) as resources,
            Sockets.opened(
                database,
                transport,
                key=ASSERTION_KEY,
                sightings=resources[Sightings],
                limits=limits,
            ) as sockets,
        ):
            opened.append(sockets)
            yield {**resources, Sockets: sockets}

    service = replace(SERVICE, open_resources=open_resources)
    settings = teams_settings(urls, auth_url, **{"GUILDHALL_SERVE_BACKGROUND": True} | values)
    async with (
        serving(create_app(service, settings), SocketProtocol) as url,
        httpx.AsyncClient(base_url=url, timeout=20) as client,
    ):
        yield Served(url, client, urls, opened[0])


async def raw_socket(
    service: Place, machine: Machine, **more: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a socket without a library, which would answer for us and keep to the rules.

    Args:
        service: where.
        machine: whose.
        more: header lines on top.
    """
    host, port = service.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = {
        "host": "teams",
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        **asserting("teams", machine.principal),
        **more,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"GET /socket/websocket HTTP/1.1\r\n{head}\r\n".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101")
    return reader, writer


async def read_message(reader: asyncio.StreamReader) -> list[Any]:
    """Read one message of a service from a socket without a library."""
    async with asyncio.timeout(LIMIT):
        _, length = await reader.readexactly(2)
        if length > 125:
            length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
        message: list[Any] = json.loads(await reader.readexactly(length))
    return message


def masked(data: bytes | str, opcode: int = 1, *, fin: bool = True) -> bytes:
    """Write a client's frame, its mask all zero."""
    if isinstance(data, str):
        data = data.encode()
    first = opcode | (0x80 if fin else 0)
    if len(data) < 126:
        head = struct.pack("!BB", first, 0x80 | len(data))
    elif len(data) < 65_536:
        head = struct.pack("!BBH", first, 0x80 | 126, len(data))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(data))
    return head + bytes(4) + data
