"""A service's PostgreSQL: one pool, transactions, and the two ways to ask for a connection.

Nothing depends on session state, so PgBouncer in transaction mode works when
``statement_cache`` is off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from shared.errors import Unavailable
from shared.log import get_logger

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Record: TypeAlias = asyncpg.Record
UniqueViolation = asyncpg.UniqueViolationError

CONNECT_TIMEOUT: Final = 5.0
"""Seconds to wait for a connection of the pool, and for a new one to open."""

COMMAND_TIMEOUT: Final = 15.0
"""Seconds a single statement may take."""

_UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)

# The driver's own complaints: of a connection that broke, or of a call that was wrong.
_DRIVER: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)

log = get_logger()


class Database:
    """A pool of connections to one service's schema. Make it with ``connect``."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._bells: list[Callable[[], None]] = []

    @classmethod
    async def connect(cls, url: str, *, size: int = 8, statement_cache: bool = True) -> Database:
        """Open the pool.

        Args:
            url: ``postgres://role:password@host:port/database``.
            size: most connections kept.
            statement_cache: keep prepared statements on the server; off behind PgBouncer.

        Raises:
            Unavailable: the server cannot be reached.
        """
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=size,
                timeout=CONNECT_TIMEOUT,
                command_timeout=COMMAND_TIMEOUT,
                statement_cache_size=256 if statement_cache else 0,
                max_inactive_connection_lifetime=300.0,
                reset=_keep,
                server_settings={"application_name": "guildhall"},
            )
        except (*_UNREACHABLE, *_DRIVER, asyncpg.PostgresError) as error:
            raise Unavailable("The database cannot be reached") from error
        return cls(pool)

    async def close(self) -> None:
        """Wait for connections in use, at most 5 s, then close the pool."""
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    def on_commit(self, bell: Callable[[], None]) -> None:
        """Call ``bell`` after each committed transaction; it must not block or raise."""
        self._bells.append(bell)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection outside any transaction: for single statements, mostly reads.

        Raises:
            Unavailable: no connection within 5 s, or the server went away meanwhile.
        """
        lent = broken = False
        try:
            async with self._pool.acquire(timeout=CONNECT_TIMEOUT) as connection:
                lent = True
                try:
                    yield connection
                except _DRIVER:
                    broken = _is_broken(connection)
                    raise
        except _UNREACHABLE as error:
            raise _unavailable(error) from error
        except (asyncpg.PostgresError, *_DRIVER) as error:
            # A statement that fails on a good connection is our mistake, or the caller's business.
            if lent and not broken:
                raise
            raise _unavailable(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction: committed at the end, undone by any error.

        Raises:
            Unavailable: no connection within 5 s, or the server went away meanwhile. Whether the
                transaction held is then unknown to the caller, as with any lost answer.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection
        for bell in self._bells:
            bell()

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Connection]:
        """Lend a connection for one statement that writes, and so is a transaction by itself.

        One round trip instead of three. Errors are those of ``transaction``.
        """
        async with self.connection() as connection:
            yield connection
        for bell in self._bells:
            bell()

    async def ping(self) -> None:
        """Ask the server a question, to see whether it answers.

        Raises:
            Unavailable: it does not.
        """
        async with self.connection() as connection:
            try:
                await connection.execute("SELECT 1")
            except asyncio.CancelledError:
                # Who asks has waited long enough. To give a connection back that was cancelled
                # waits for the server once more, 5 s if that hangs.
                connection.terminate()
                raise


async def _keep(connection: Connection) -> None:
    """Reset nothing: no session state is ever set, and the query would cost a round trip each."""


def _is_broken(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True  # the pool has dropped it already


def _unavailable(error: Exception) -> Unavailable:
    log.warning("database unavailable", error=repr(error))
    return Unavailable()
