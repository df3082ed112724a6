"""The real Phoenix client for tests: the npm package ``phoenix``, on Node.js.

Its packages are pinned by hash in ``package-lock.json`` and installed once into the user's cache,
by ``python -m tests.prepare``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.support.npm import Packages

FOLDER: Final = Path(__file__).parent
LIMIT: Final = 30.0
LONGEST_LINE: Final = 1_000_000

PACKAGES: Final = Packages("phoenix-client", FOLDER)


class PhoenixClient:
    """A client in a process of its own. Make it with ``running``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._seen: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def tell(self, do: str, **values: Any) -> None:
        """Give a command that has no answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **values}).encode() + b"\n")

    async def ask(self, do: str, **values: Any) -> dict[str, Any]:
        """Give a command and wait for its answer: ``status`` and ``response``."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self.tell(do, asked=number, **values)
        given = await asyncio.wait_for(answer, LIMIT)
        return {key: given[key] for key in ("status", "response")}

    async def saw(self, what: str) -> dict[str, Any]:
        """Wait until the client has seen something; what it saw before is passed over."""
        async with asyncio.timeout(LIMIT):
            while True:
                seen = await self._seen.get()
                if seen["saw"] == what:
                    return seen

    async def read(self) -> None:
        """Sort what the client says, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "asked" in said:
                if answer := self._answers.pop(said["asked"], None):
                    answer.set_result(said)
            else:
                self._seen.put_nowait(said)


@asynccontextmanager
async def running(url: str, headers: Mapping[str, str]) -> AsyncIterator[PhoenixClient]:
    """Run a client; it ends with the context, and with this process, however that ends.

    Args:
        url: of the socket, ``ws://host:port/socket``.
        headers: of its handshakes.
    """
    process = await asyncio.create_subprocess_exec(
        "node",
        str(FOLDER / "client.mjs"),
        str(PACKAGES.modules()),
        url,
        json.dumps(dict(headers)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
    )
    client = PhoenixClient(process)
    reading = asyncio.create_task(client.read())
    try:
        yield client
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading
