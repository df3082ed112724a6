"""A gateway that is told to stop ends its sockets as their protocol asks, and soon."""

from __future__ import annotations

import asyncio
import signal

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from tests.gateway.gateway_process import gateway_process
from tests.gateway.sockets import SocketService, target


@pytest.mark.parametrize("workers", [1, 2])
async def test_sigterm_says_goodbye_to_both_ends(workers: int) -> None:
    service = SocketService()
    async with serve(service.handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        settings = {
            "GUILDHALL_TEAMS_URL": f"http://127.0.0.1:{port}",
            "GUILDHALL_SOCKET_FAREWELL": "0.2",
        }
        async with gateway_process(workers, values=settings) as gateway:
            url = f"ws://127.0.0.1:{gateway.port}{target()}"
            callers = [await connect(url) for _ in range(10)]
            for caller in callers:
                await caller.send("hello")
                assert await caller.recv() == "hello"
            gateway.tell(signal.SIGTERM)
            async with asyncio.timeout(15):
                for end in (*callers, *service.sockets):
                    await end.wait_closed()
                    assert (end.close_code, end.close_reason) == (1001, "gateway stops")
            assert await gateway.ended() in (0, -signal.SIGTERM)
            assert not gateway.said("broken off")
