"""Two replicas as processes, as services are served: stopped, killed and started under load."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from gateway.upstream.breaker import State
from gateway.upstream.limits import Checks
from tests.gateway.conftest import PLENTY, house, until
from tests.gateway.replicas import PATH, Replicas, limits, load
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
APP = """
import os, sys
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from shared.log import configure
from shared.serving import serve_app

async def answer(request):
    return PlainTextResponse(f"{os.getpid()} {request.url.path}")

methods = ["GET", "POST", "PUT", "DELETE"]
configure("replica", "warning", "json")
app = Starlette(routes=[Route("/{path:path}", answer, methods=methods)])
serve_app(app, "127.0.0.1", int(sys.argv[1]))
"""


class Replica:
    """A replica that can be stopped and started."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", APP, str(self.port), cwd=ROOT
        )
        async with asyncio.timeout(60):
            while not await self._listens():
                assert self._process.returncode is None
                await asyncio.sleep(0.05)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)
        await asyncio.wait_for(self._process.wait(), 30)


@asynccontextmanager
async def processes() -> AsyncIterator[tuple[Replicas, list[Replica]]]:
    """Run two behind a gateway."""
    async with AsyncExitStack() as stack:
        both = [Replica(), Replica()]
        for replica in both:
            await replica.start()
            stack.push_async_callback(replica.stop, signal.SIGKILL)
        urls = ", ".join(f"http://127.0.0.1:{replica.port}" for replica in both)
        given = limits(checks=Checks(interval=0.5, again=0.1))
        home = await stack.enter_async_context(house(given, learnings_url=urls, rate_limits=PLENTY))
        yield Replicas(home, []), both


async def test_no_repeatable_request_fails_while_replicas_are_replaced() -> None:
    async with processes() as (built, both), load(built, 6) as crowd:
        for index, number in enumerate((signal.SIGTERM, signal.SIGKILL)):
            replica = both[index]
            await until(lambda: built.upstream.states() == (State.CLOSED, State.CLOSED), 60)
            await crowd.more(60)
            await replica.stop(number)
            await crowd.more(60)
            await replica.start()
            await built.used_again(index)
        assert set(await crowd.stop()) == {200}
        seen = {(await built.ask("PUT", PATH)).text for _ in range(4)}
        assert len(seen) == 2
