from __future__ import annotations

import asyncpg
import pytest

from guildhall.provision import SCHEMAS
from tests.support.postgres import DatabaseServer, DatabaseUrls


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_service_may_work_in_its_own_schema_only(
    database_urls: DatabaseUrls, schema: str
) -> None:
    connection = await asyncpg.connect(database_urls.url(schema), timeout=10)
    try:
        await connection.execute(f"CREATE TABLE {schema}.mine (id int)")
        for other in {*SCHEMAS, "public"} - {schema}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"CREATE TABLE {other}.theirs (id int)")
    finally:
        await connection.close()


async def test_two_databases_do_not_see_each_other(database_server: DatabaseServer) -> None:
    async with database_server.clone() as one, database_server.clone() as two:
        first = await asyncpg.connect(one.url("auth"), timeout=10)
        second = await asyncpg.connect(two.url("auth"), timeout=10)
        await first.execute("CREATE TABLE auth.only_here (id int)")
        assert await second.fetchval("SELECT to_regclass('auth.only_here')") is None
        await first.close()
        await second.close()
