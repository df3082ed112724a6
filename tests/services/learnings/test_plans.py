"""Every list has an index: the planner is asked, over every combination of filters."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from itertools import combinations
from typing import Any, TypeAlias

import asyncpg
import pytest

from services.learnings.learnings import rules, store
from services.learnings.learnings.models import Author, LearningQuery, NewLearning
from services.learnings.learnings.operations.preparing import prepare
from services.learnings.search.models import LIVE, Filters, Query, Wanted
from services.learnings.search.operations import Searcher, tag_keys
from services.learnings.search.rules.keys import gram_keys, pieces_of, words_of
from services.learnings.search.rules.plans import plan, rarest, rarest_grams, weights
from services.learnings.search.store import finding, reading, sampling
from shared.contracts.learnings import LearningRecorded
from shared.db import Database
from shared.pagination import TOTAL_CAP
from tests.services.learnings.rows import fill
from tests.support.postgres import DatabaseUrls

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
pytestmark = pytest.mark.slow

ORG = "org_large"
ROWS = 50_000

# Of each filter one value that fits many rows, one that fits few, one that fits none.
VALUES: dict[str, tuple[Any, ...]] = {
    "status": ("active", "obsolete", "archived"),
    "type": ("pattern", "decision", "unheard"),
    "tag": (["all"], ["thousandth7", "all"], ["nowhere"]),
    "min_impact": (0, 0.99, 1),
    "source_project": ("0" * 13 + "050", "0" * 13 + "950", "f" * 16),
    "origin_project": ("git:" + "0" * 14 + "04", "git:" + "0" * 14 + "96", "git:" + "f" * 16),
    "updated_since": ("2001-01-01", "2100-01-01", "2200-01-01"),
}


def every_combination() -> Iterator[dict[str, Any]]:
    for sort in ("-created_at", "impact"):
        for count in range(len(VALUES) + 1):
            for names in combinations(VALUES, count):
                for pick in range(3):
                    yield {"sort": sort} | {
                        name: VALUES[name][(pick + at) % 3] for at, name in enumerate(names)
                    }


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.fixture(scope="module")
async def large(urls: DatabaseUrls) -> AsyncIterator[Sql]:
    """A large organization among small ones."""
    connection = await asyncpg.connect(urls.url("learnings"), timeout=10)
    await fill(connection, ORG, ROWS)
    for number in range(20):
        await fill(connection, f"org_small_{number}", 50)
    await connection.execute("VACUUM ANALYZE learnings.learning", timeout=120)
    await connection.execute("ANALYZE learnings.organization, learnings.landmark")
    yield connection
    await connection.close(timeout=5)


async def plan_of(connection: Sql, sql: str, *values: Any) -> list[dict[str, Any]]:
    raw = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *values)
    return list(nodes(json.loads(raw)[0]["Plan"]))


async def test_no_filter_reads_the_whole_table(large: Sql) -> None:
    seen = 0
    for fields in every_combination():
        query = LearningQuery.model_validate(fields)
        sql, values = store.filtered_sql(query, tag_keys(ORG, query.tag))
        plan = await plan_of(large, sql, ORG, *values)
        scanned = [
            node
            for node in plan
            if "Seq Scan" in node["Node Type"] and node["Relation Name"] == "learning"
        ]
        assert not scanned, fields
        seen += 1
    assert seen == 2 * 3 * 2 ** len(VALUES)


async def test_single_filters_read_a_page_not_the_matches(large: Sql) -> None:
    """Run for real: what the page touches is near its size, however many rows fit the filter."""
    for fields in ({"status": "active"}, {"type": "pattern"}, {"sort": "impact"}, {"tag": ["all"]}):
        query = LearningQuery.model_validate(fields | {"page_size": 20})
        sql, values = store.filtered_sql(query, tag_keys(ORG, query.tag))
        raw = await large.fetchval(
            f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", ORG, *values
        )
        for node in nodes(json.loads(raw)[0]["Plan"]):
            touched = node["Actual Rows"] * node["Actual Loops"]
            assert touched <= TOTAL_CAP, (fields, node["Node Type"], touched)


@pytest.mark.parametrize("page", [1, 2, 450, 999, 1000])
async def test_any_page_of_the_whole_list_walks_from_a_landmark(large: Sql, page: int) -> None:
    size = 50
    sql = store.NEWEST
    raw = await large.fetchval(
        f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", ORG, (page - 1) * size, size
    )
    for node in nodes(json.loads(raw)[0]["Plan"]):
        assert "Seq Scan" not in node["Node Type"] or node["Relation Name"] != "learning"
        touched = node["Actual Rows"] * node["Actual Loops"]
        assert touched <= store.LANDMARK_SPACING + size, node["Node Type"]


SEARCHES = (
    "learning",
    "learning test",
    "zebras",
    "zebars",
    "connection pool deadlock",
    "zzyzx qqqq",
    "why does the connection pool run into a deadlock when a consumer retries after the timeout",
    "learning test error file service value request use run fix check call",
)
LIMITS = (
    Filters(statuses=LIVE),
    Filters(statuses=("archived",)),
    Filters(tags=("all",)),
    Filters(tags=("thousandth7",), min_impact=0.9),
    Filters(type="decision", statuses=LIVE),
    Filters(source_project="0" * 13 + "050"),
    Filters(origin_project="git:" + "0" * 14 + "04", expired=False),
    Filters(duplicates=True),
)


async def searching(connection: Sql, query: str, filters: Filters) -> tuple[str, list[Any]]:
    """Give the statement of a search and its values, the tenant among them."""
    wanted = Wanted(query, filters, limit=50)
    terms, rows = await finding.read_terms(connection, ORG, query)
    assert rows == ROWS
    frequencies = await sampling.sample(connection, ORG, rows)
    terms = rarest(terms, frequencies)
    pieces = {piece for word in words_of(query) for piece in pieces_of(word)}
    grams = rarest_grams(gram_keys(ORG, pieces), frequencies)
    chosen = plan(terms, wanted, ORG, frequencies)
    values = finding.finding_values(
        wanted, Query(terms, grams, weights(grams, frequencies)), chosen
    )
    return finding.finding_sql(wanted), [ORG, *values]


def scans_all(nodes: list[dict[str, Any]]) -> bool:
    return any(
        "Seq Scan" in node["Node Type"] and node["Relation Name"] == "learning" for node in nodes
    )


@pytest.mark.parametrize("query", SEARCHES)
async def test_no_search_reads_more_than_its_bound(large: Sql, query: str) -> None:
    """Run for real: rows read depend neither on the organization's size nor on the words."""
    for filters in LIMITS:
        sql, values = await searching(large, query, filters)
        raw = await large.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", *values)
        found = list(nodes(json.loads(raw)[0]["Plan"]))
        assert not scans_all(found), filters
        for node in found:
            if node.get("Relation Name") != "learning":
                continue
            dropped = node.get("Rows Removed by Filter", 0)
            dropped += node.get("Rows Removed by Index Recheck", 0)
            touched = (node["Actual Rows"] + dropped) * node["Actual Loops"]
            assert touched <= 7_000, (filters, node["Node Type"], touched)


async def test_no_search_scans_all_whatever_its_parameters(large: Sql) -> None:
    """A prepared statement is planned once for all parameters after a while."""
    await large.execute("SET plan_cache_mode = force_generic_plan")
    try:
        for filters in LIMITS:
            sql, values = await searching(large, "connection pool", filters)
            await large.execute(f"PREPARE one AS {sql}")
            given = ", ".join(["NULL"] * len(values))
            raw = await large.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE one ({given})")
            await large.execute("DEALLOCATE one")
            found = list(nodes(json.loads(raw)[0]["Plan"]))
            assert "$20" in raw
            assert not scans_all(found), filters
            for node in found:
                if node["Node Type"] == "Bitmap Index Scan":
                    # By keys, or by ids that were asked for; never all of a tenant's rows.
                    condition = node["Index Cond"]
                    by_tenant = "(org_id = " in condition
                    assert not by_tenant or "id = ANY" in condition, (filters, node)
    finally:
        await large.execute("RESET plan_cache_mode")


async def test_a_blank_search_and_a_sample_read_their_bounds(large: Sql) -> None:
    statements: list[tuple[str, list[Any]]] = [(sampling.SAMPLING, [ORG])]
    for filters in LIMITS:
        wanted = Wanted("", filters)
        values = [ORG, *finding.filter_values(filters), 50]
        statements.append((reading.browsing_sql(wanted, by_tags=False), values))
    rare = LIMITS[3]
    by_tags = reading.browsing_sql(Wanted("", rare), by_tags=True)
    values = [ORG, *finding.filter_values(rare), 50, tag_keys(ORG, rare.tags)]
    statements.append((by_tags, values))
    for sql, values in statements:
        raw = await large.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", *values)
        found = list(nodes(json.loads(raw)[0]["Plan"]))
        assert not scans_all(found), sql
        for node in found:
            if node.get("Relation Name") == "learning":
                touched = node["Actual Rows"] * node["Actual Loops"]
                assert touched <= reading.MOST_BROWSED, (node["Node Type"], touched)


class Explaining:
    """A connection that says how it would run a statement, and does not run it."""

    def __init__(self, connection: Sql) -> None:
        self._connection = connection
        self.plan = ""

    async def fetchval(self, sql: str, *values: Any) -> None:
        self.plan = await self._connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *values)


async def test_recording_a_text_that_nobody_has_reads_no_table(large: Sql) -> None:
    """A planner that may stop at the first match expects one soon, and reads all for none."""
    author = Author(ORG, "usr_plan", "usr_plan")
    body = NewLearning(summary="Quorum of walruses", detail="d", source_learning_id="L-plan")
    new = prepare(ORG, rules.entry_of(author, body))
    said = LearningRecorded(org_id=ORG, learning_id="L-new", summary=body.summary)
    explaining = Explaining(large)
    await store.insert(explaining, author, "L-new", new, said, by_key=True)  # type: ignore[arg-type]
    found = list(nodes(json.loads(explaining.plan)[0]["Plan"]))
    assert any(node.get("Index Name") == "learning_bands" for node in found)
    assert not scans_all(found)


async def test_a_common_tag_is_counted_in_the_list_and_a_rare_one_by_its_key(
    large: Sql, urls: DatabaseUrls
) -> None:
    database = await Database.connect(urls.url("learnings"))
    try:
        searcher = Searcher(database)
        leading = [
            await searcher.leading_tags(large, ORG, [tag], TOTAL_CAP - 1)
            for tag in ("all", "thousandth7")
        ]
    finally:
        await database.close()
    assert leading == [[], tag_keys(ORG, ["thousandth7"])]
    sql, values = store.filtered_sql(LearningQuery(tag=["all"]), [])
    raw = await large.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", ORG, *values)
    found = list(nodes(json.loads(raw)[0]["Plan"]))
    assert not scans_all(found)
    assert any(node.get("Index Name") == "learning_list" for node in found)
