"""Clients that do not take what they are sent: nobody else waits for them."""

from __future__ import annotations

import json

from services.teams.socket.sockets import SocketLimits
from tests.services.teams.socket_support import masked, raw_socket, served
from tests.support.postgres import DatabaseUrls


async def test_a_client_that_does_not_read_is_given_up(urls: DatabaseUrls, auth_url: str) -> None:
    limits = SocketLimits(stuck=1.0, linger=0.1, tick=0.02, review=600)
    async with served(urls, auth_url, limits) as hasty:
        slow, machine, other = hasty.machine(), hasty.machine(), hasty.machine()
        team_id = await hasty.team(machine, slow, other)
        topic = f"knowledge:{team_id}"
        reader, writer = await raw_socket(hasty, slow)
        writer.write(masked(json.dumps(["1", "1", topic, "phx_join", {}])))
        await reader.readexactly(20)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with (
            await hasty.joined(machine, team_id) as pusher,
            await hasty.joined(other, team_id) as reading,
        ):
            told = 0
            while len(hasty.sockets) == 3:
                await hasty.may_push_again()
                content = f"## {told}\n" + f"{told % 10}" * 70_000
                assert (await pusher.push(team_id, content))["status"] == "ok"
                assert (await reading.next())[3] == "knowledge:updated"
                told += 1
            # Whoever reads was told of everything all the while.
            await reading.nothing_else()
            assert (await reading.ask("phoenix", "heartbeat"))["status"] == "ok"
        writer.transport.abort()


async def test_more_than_may_wait_for_a_client_gives_it_up_at_once(
    urls: DatabaseUrls, auth_url: str
) -> None:
    limits = SocketLimits(stuck=600, linger=0.1, tick=0.02, review=600, backlog=300_000)
    async with served(urls, auth_url, limits) as strict:
        slow, machine = strict.machine(), strict.machine()
        team_id = await strict.team(machine, slow)
        reader, writer = await raw_socket(strict, slow)
        topic = f"knowledge:{team_id}"
        writer.write(masked(json.dumps(["1", "1", topic, "phx_join", {}])))
        await reader.readexactly(20)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with await strict.joined(machine, team_id) as pusher:
            number = 0
            while len(strict.sockets) == 2:
                await strict.may_push_again()
                await pusher.push(team_id, f"## {number}\n" + f"{number % 10}" * 70_000)
                number += 1
        writer.transport.abort()
