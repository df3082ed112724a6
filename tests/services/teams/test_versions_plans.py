"""The cost of versions and tasks does not grow with how many there are: the planner is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.teams.tasks import store as tasks
from services.teams.tasks.models import Filters
from services.teams.versions import store
from services.teams.versions.models import Keeping
from tests.services.teams.tasks_support import Sql
from tests.support.postgres import DatabaseUrls

pytestmark = pytest.mark.slow

TEAMS, EACH, TASKS = 400, 100, 40
LARGE = UUID(int=1)
"""It keeps 700 versions beside the 100 of each other team, and 1,000 tasks."""

KEEPING = Keeping(newest=100, most=1_000, days=90)

FILL = """
    WITH one AS (SELECT sha256(convert_to('[]', 'UTF8')) AS part)
    INSERT INTO teams.team (id, name, hash, members_hash, skills_hash, knowledge_hash,
                            members_part, skills_part, knowledge_part, version, task_number)
    SELECT ('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Team ' || n,
           '', '', '', '', part, part, part, $2 + CASE n WHEN 1 THEN 700 ELSE 0 END, $3
      FROM one, generate_series(1, $1::int) AS n
"""
FILL_VERSIONS = """
    INSERT INTO teams.version (team_id, number, name, platforms, members_part, skills_part,
                               knowledge_part, hash, actor, summary, created_at)
    SELECT t.id, n, t.name, '[]', members_part, skills_part,
           sha256(convert_to('knowledge ' || n, 'UTF8')), '', '', '', now() - interval '1 year'
      FROM generate_series(1, 800) AS n JOIN teams.team t ON n <= t.version
"""
FILL_PARTS = """
    INSERT INTO teams.part (team_id, digest, body)
    SELECT team_id, knowledge_part, 'knowledge' FROM teams.version
     UNION SELECT id, members_part, '[]' FROM teams.team
"""
FILL_TASKS = """
    INSERT INTO teams.task (team_id, number, description, assignee, status, created_by)
    SELECT t.id, n, 'task', 'member ' || n % 5, CASE n % 3 WHEN 0 THEN 'todo' ELSE 'done' END, ''
      FROM generate_series(1, 1000) AS n
      JOIN teams.team t ON n <= CASE t.id WHEN $1 THEN 1000 ELSE $2 END
"""


@pytest.fixture(scope="module")
async def large(urls: DatabaseUrls) -> AsyncIterator[Sql]:
    """40,000 versions, all of them old, nearly all of them kept."""
    connection = await asyncpg.connect(urls.url("teams"), timeout=10)
    await connection.execute(FILL, TEAMS, EACH, TASKS)
    for fill in (FILL_VERSIONS, FILL_PARTS):
        await connection.execute(fill, timeout=120)
    await connection.execute(FILL_TASKS, LARGE, TASKS, timeout=120)
    for table in ("team", "version", "part", "task"):
        await connection.execute(f"VACUUM ANALYZE teams.{table}", timeout=120)
    yield connection
    await connection.close(timeout=5)


class Explaining:
    """A connection that runs a statement, takes it back, and keeps what it has read."""

    def __init__(self, connection: Sql) -> None:
        self._connection = connection
        self.found: list[dict[str, Any]] = []

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            raw = await self._connection.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}", *values
            )
        finally:
            await transaction.rollback()
        self.found = list(nodes(json.loads(raw)[0]["Plan"]))
        return []

    async def fetchrow(self, sql: str, *values: Any) -> None:
        await self.fetch(sql, *values)

    execute = fetchrow

    @property
    def touched(self) -> int:
        """Rows that the tables were asked for."""
        return sum(
            int(
                (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            )
            for node in self.found
            if "Relation Name" in node
        )

    @property
    def scanned(self) -> set[str]:
        """Tables that were read as a whole."""
        return {node["Relation Name"] for node in self.found if node["Node Type"] == "Seq Scan"}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.fixture(params=["custom", "generic"])
async def explaining(large: Sql, request: pytest.FixtureRequest) -> AsyncIterator[Explaining]:
    """A prepared statement is planned once for all values after a while."""
    await large.execute(f"SET plan_cache_mode = force_{request.param}_plan")
    yield Explaining(large)
    await large.execute("RESET plan_cache_mode")


async def test_finding_what_is_due_reads_a_hundredth(explaining: Explaining) -> None:
    connection: Any = explaining
    await store.due(connection, KEEPING, str(UUID(int=0)), 500)
    assert "version" not in explaining.scanned
    # Of each team that may be due: a hundredth of its versions, its row, its oldest version.
    assert explaining.touched <= 4 * TEAMS


async def test_the_next_teams_are_found_from_where_the_last_ended(explaining: Explaining) -> None:
    connection: Any = explaining
    await store.due(connection, KEEPING, str(UUID(int=TEAMS - 10)), 500)
    assert "version" not in explaining.scanned
    reads = [node for node in explaining.found if node.get("Relation Name") == "version"]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in reads) <= 20


async def test_trimming_a_team_reads_that_team(explaining: Explaining) -> None:
    connection: Any = explaining
    await store.trim(connection, str(LARGE), KEEPING)
    assert explaining.scanned == set()
    assert explaining.touched <= 3 * 800
    await store.drop_parts(connection, str(LARGE))
    assert explaining.scanned == set()
    assert explaining.touched <= 3 * 800 + 10


async def test_a_list_reads_what_it_gives(explaining: Explaining) -> None:
    connection: Any = explaining
    for before in (2**31 - 1, 400, 1):
        await store.list_of(connection, str(LARGE), before, 20)
        assert explaining.scanned == set()
        assert explaining.touched <= 20
    await store.find(connection, str(LARGE), 400)
    assert explaining.scanned == set()
    assert explaining.touched <= 4


@pytest.mark.parametrize("status", [None, "todo"])
@pytest.mark.parametrize("assignee", [None, "member 3"])
async def test_tasks_are_listed_by_an_index(
    explaining: Explaining, status: str | None, assignee: str | None
) -> None:
    connection: Any = explaining
    filters = Filters(status, assignee)
    for after, most in ((0, None), (0, 10), (900, None)):
        await tasks.list_of(connection, str(LARGE), filters, after, most)
        assert explaining.scanned == set()
        assert explaining.touched <= 1_000
