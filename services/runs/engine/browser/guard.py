"""The proxy that all of a browser's traffic goes through, and that asks before it connects.

Each name is resolved here, each address is asked of the target policy, and the connection goes to
the address that was asked about; so a name that changes its mind gains nothing, and redirects,
frames, sockets and workers are asked about like everything else. Plain HTTP comes in absolute
form, everything else as CONNECT (RFC 9110 sections 7.1 and 9.3.6). It listens on loopback and
takes only those who know a random password. Contract section 15.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
import socket
import time
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from services.runs.engine.browser import framing
from services.runs.engine.browser.framing import BadMessage, Head
from services.runs.engine.browser.proxying import Connection, Refused, Upstream, close
from shared.targets import Address, TargetPolicy, normal_host, read_address

MOST_CONNECTIONS: Final = 300
MOST_REFUSALS: Final = 200
MOST_ADDRESSES: Final = 3

_CONNECT: Final = 10.0
"""Seconds for a connection."""


@dataclass(slots=True)
class Pass:
    """What a browser context shows to be let through, and what it was refused.

    Attributes:
        name: user name of the credentials.
        password: of the credentials.
        refusals: when (monotonic clock), which host, which port; the latest 200.
        count: of all refusals ever.
    """

    name: str
    password: str
    refusals: deque[tuple[float, str, int]] = field(
        default_factory=lambda: deque(maxlen=MOST_REFUSALS)
    )
    count: int = 0
    is_valid: bool = True

    def withdraw(self) -> None:
        """Let it through no more."""
        self.is_valid = False

    def was_refused(self, host: str, port: int) -> bool:
        """Tell whether a host and port were refused of late."""
        wanted = normal_host(host)
        return any(h == wanted and p == port for _, h, p in self.refusals)

    def refuse(self, host: str, port: int) -> None:
        """Note that a host and port were refused."""
        self.count += 1
        self.refusals.append((time.monotonic(), normal_host(host)[:255], port))


class Guard:
    """The proxy. Open it with ``opened``."""

    def __init__(self, policy: TargetPolicy, host: str) -> None:
        self._policy = policy
        self._host = host
        self._port = 0
        self._passes: dict[str, Pass] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # Threads of its own: a name server that does not answer must not hold up others.
        self._resolvers = ThreadPoolExecutor(8, thread_name_prefix="guard")

    @classmethod
    @asynccontextmanager
    async def opened(cls, policy: TargetPolicy, host: str = "127.0.0.1") -> AsyncIterator[Guard]:
        """Listen on a free port of ``host`` for as long as the context lasts."""
        guard = cls(policy, host)
        server = await asyncio.start_server(
            guard._on_client, host, 0, limit=framing.LARGEST_HEAD, backlog=256
        )
        guard._port = server.sockets[0].getsockname()[1]
        try:
            yield guard
        finally:
            server.close()
            for task in tuple(guard._tasks):
                task.cancel()
            await asyncio.gather(*guard._tasks, return_exceptions=True)
            guard._resolvers.shutdown(wait=False, cancel_futures=True)

    @property
    def address(self) -> str:
        """Where it listens, as a URL."""
        return f"http://{self._host}:{self._port}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    def issue(self) -> Pass:
        """Let one more browser context through."""
        self._passes = {name: each for name, each in self._passes.items() if each.is_valid}
        entry = Pass(secrets.token_hex(8), secrets.token_urlsafe(24))
        self._passes[entry.name] = entry
        return entry

    async def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if len(self._tasks) <= MOST_CONNECTIONS:
                await Connection(self, reader, writer).serve()
        except (TimeoutError, BadMessage, OSError, EOFError):
            pass  # the connection is closed; the browser says what that means to the page
        except asyncio.CancelledError:
            pass  # the guard ends: nobody awaits this task but the server, which would complain
        finally:
            self._tasks.discard(task)
            close(writer)

    def admit(self, head: Head) -> Pass | None:
        """Give whose password stands in a request, or None."""
        scheme, _, code = (head.last(b"proxy-authorization") or b"").partition(b" ")
        if scheme.lower() != b"basic":
            return None
        try:
            name, _, password = base64.b64decode(code, validate=True).decode().partition(":")
        except ValueError:
            return None
        entry = self._passes.get(name)
        if (
            entry is None
            or not entry.is_valid
            or not hmac.compare_digest(entry.password.encode(), password.encode())
        ):
            return None
        return entry

    async def connect(self, host: str, port: int) -> Upstream:
        """Connect to an address of a host that the policy opens.

        Raises:
            Refused: it opens none of them.
            OSError: no such name, or none of them answers.
            TimeoutError: likewise, in time.
        """
        async with asyncio.timeout(_CONNECT):
            found = await self._resolve(host, port)
            itself = (self._port, self._host)
            open_ones = [
                each
                for each in found
                if (port, str(each)) != itself and self._policy.permits(host, port, each)
            ]
            if not open_ones:
                raise Refused
            failure: OSError = OSError("no address")
            for address in open_ones[:MOST_ADDRESSES]:
                try:
                    pair = await asyncio.open_connection(
                        str(address), port, limit=framing.LARGEST_HEAD
                    )
                except OSError as error:
                    failure = error
                    continue
                return Upstream(host, port, *pair)
            raise failure

    async def _resolve(self, host: str, port: int) -> list[Address]:
        try:
            return [read_address(normal_host(host))]
        except ValueError:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._resolvers, _look_up, host, port)


def _look_up(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OSError("no such name") from error
    return list(dict.fromkeys(read_address(str(each[4][0])) for each in found))
