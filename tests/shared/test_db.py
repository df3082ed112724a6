from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from shared.db import Database
from shared.errors import Unavailable
from tests.support.ports import free_ports
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    opened = await Database.connect(database_urls.url("teams"), size=2)
    async with opened.transaction() as connection:
        await connection.execute("CREATE TABLE teams.note (text text)")
    yield opened
    await opened.close()


async def notes(database: Database) -> list[str]:
    async with database.connection() as connection:
        return [row["text"] for row in await connection.fetch("SELECT text FROM teams.note")]


async def test_a_transaction_holds_or_leaves_nothing(database: Database) -> None:
    rung: list[bool] = []
    database.on_commit(lambda: rung.append(True))
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO teams.note VALUES ('kept')")
    assert rung == [True]
    with pytest.raises(KeyError):  # noqa: PT012 - the block is what is tested
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO teams.note VALUES ('undone')")
            raise KeyError
    assert await notes(database) == ["kept"]
    assert rung == [True], "the bell rings only after a commit"


async def test_cancellation_gives_the_connection_back(database: Database) -> None:
    begun = asyncio.Barrier(3)

    async def sleep() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO teams.note VALUES ('undone')")
            await begun.wait()
            await connection.execute("SELECT pg_sleep(60)")

    tasks = [asyncio.create_task(sleep()) for _ in range(2)]
    async with asyncio.timeout(20):
        await begun.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await notes(database) == []


async def test_a_server_that_goes_away_is_unavailable_and_then_back(
    database: Database, database_urls: DatabaseUrls
) -> None:
    async def victim() -> None:
        async with database.transaction() as connection:
            await connection.execute("SELECT pg_sleep(60)")

    admin = await asyncpg.connect(database_urls.admin)
    task = asyncio.create_task(victim())
    try:
        async with asyncio.timeout(20):
            while not await admin.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE usename = 'guildhall_teams' AND datname = current_database()"
                " AND query LIKE '%pg_sleep%'"
            ):
                await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            await task
    finally:
        await admin.close()
    assert await notes(database) == []


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        await Database.connect(f"postgres://nobody:secret@127.0.0.1:{free_ports()}/none")


async def test_our_own_mistakes_are_not_called_an_outage(database: Database) -> None:
    with pytest.raises(asyncpg.InterfaceError):
        async with database.connection() as connection:
            await connection.fetchval("SELECT $1::text")
    with pytest.raises(asyncpg.UndefinedTableError):
        async with database.connection() as connection:
            await connection.execute("SELECT * FROM teams.nothing")


async def test_it_works_without_the_statement_cache(database_urls: DatabaseUrls) -> None:
    database = await Database.connect(database_urls.url("teams"), statement_cache=False)
    try:
        async with database.connection() as connection:
            for number in range(3):
                assert await connection.fetchval("SELECT $1::int", number) == number
    finally:
        await database.close()
