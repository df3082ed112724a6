"""Counting what came of runs, and showing it."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.runs.analytics import operations
from services.runs.erasures import operations as erasures
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.reports_support import case, record, report

START = datetime(2026, 3, 2, tzinfo=UTC)
WORDS = {"p": "passed", "f": "failed", "b": "broken", "s": "skipped"}
NOTHING = {
    "total_runs": 0,
    "overall_pass_rate": 0.0,
    "flaky_cases": [],
    "cases": [],
    "trend": [],
    "slowest_cases": [],
}


def ended(letters: str, at: datetime, **fields: Any) -> dict[str, Any]:
    """A run of cases ``c0``, ``c1``... that came to what the letters say."""
    cases = [
        case(f"c{number}", WORDS[letter], duration_ms=100 * (number + 1))
        for number, letter in enumerate(letters)
    ]
    status = "broken" if "b" in letters else "failed" if "f" in letters else "passed"
    return report(*cases, status=status, finished_at=at.isoformat(), **fields)


async def run(runs: Runs, org: str, *histories: str, **fields: Any) -> list[dict[str, Any]]:
    """Record runs an hour apart; each history is of one case, oldest first."""
    made = [
        ended("".join(letters), START + timedelta(hours=number), **fields)
        for number, letters in enumerate(zip(*histories, strict=True))
    ]
    for one in made:
        assert await record(runs, org, one)
    return made


async def read(runs: Runs, org: str, **query: Any) -> dict[str, Any]:
    answer = await runs.get("analytics", runs.member(org), params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_no_data_is_zeros_and_empty_lists(runs: Runs, org: str) -> None:
    assert await read(runs, org) == NOTHING
    assert await read(runs, org, days=7, suite_id="none") == NOTHING


async def test_pass_fail_pass_gives_the_documented_numbers(runs: Runs, org: str) -> None:
    made = await run(runs, org, "pfp", "ppp", "fff")
    found = await read(runs, org)
    assert (found["total_runs"], found["overall_pass_rate"]) == (3, 0.5556)
    first = found["cases"][0]
    assert {name: first[name] for name in ("suite_id", "case_id", "title")} == {
        "suite_id": "checkout",
        "case_id": "c0",
        "title": "Case c0",
    }
    assert (first["runs"], first["passed"], first["failed"]) == (3, 2, 1)
    assert (first["pass_rate"], first["flaky"], first["flake_rate"]) == (0.6667, True, 0.3333)
    assert first["history"] == ["passed", "failed", "passed"]
    assert (first["flip_rate"], first["consecutive_failures"], first["state"]) == (1.0, 0, "flaky")
    assert (first["avg_duration_ms"], first["p50_duration_ms"], first["p95_duration_ms"]) == (
        *(100, 100, 100),
    )
    assert [one["case_id"] for one in found["cases"]] == ["c0", "c2", "c1"]
    assert [one["case_id"] for one in found["flaky_cases"]] == ["c0"]
    assert [one["case_id"] for one in found["slowest_cases"]] == ["c2", "c1", "c0"]
    failing = found["cases"][1]
    assert (failing["state"], failing["consecutive_failures"]) == ("failing", 3)
    assert failing["failing_since"] == "2026-03-02T00:00:00Z"
    assert [point["run_id"] for point in found["trend"]] == [one["run_id"] for one in made]
    assert found["trend"][1] == {
        "run_id": made[1]["run_id"],
        "ts": "2026-03-02T01:00:00Z",
        "suite": "checkout.tripwire.yaml",
        "cases": 3,
        "pass_rate": 0.3333,
    }


async def test_nine_failures_show_as_failing(runs: Runs, org: str) -> None:
    await run(runs, org, "pfffffffff", "fffffffffp")
    by_id = {one["case_id"]: one for one in (await read(runs, org))["cases"]}
    assert {one["flake_rate"] for one in by_id.values()} == {0.9}
    assert {one["state"] for one in by_id.values()} == {"failing"}
    assert {one["flip_rate"] for one in by_id.values()} == {0.1111}
    assert [by_id[name]["consecutive_failures"] for name in ("c0", "c1")] == [9, 0]


async def test_what_does_not_count_changes_nothing(runs: Runs, org: str) -> None:
    for status in ("cancelled", "interrupted"):
        assert not await record(runs, org, ended("p", START) | {"status": status})
    assert not await record(runs, org, ended("ss", START))
    assert await read(runs, org) == NOTHING
    assert await record(runs, org, ended("ps", START))
    found = await read(runs, org)
    assert [one["case_id"] for one in found["cases"]] == ["c0"]
    assert found["trend"][0]["cases"] == 1


async def test_a_run_counts_once_however_often_it_is_said(runs: Runs, org: str) -> None:
    made = ended("pf", START)
    counted = await asyncio.gather(*(record(runs, org, made) for _ in range(4)))
    assert sorted(counted) == [False, False, False, True]
    found = await read(runs, org)
    assert (found["total_runs"], found["cases"][0]["runs"]) == (1, 1)


async def test_a_case_that_was_tried_again_counts_as_it_ended(runs: Runs, org: str) -> None:
    attempts = [{"attempt": 1, "verdict": "failed", "reason": None, "duration_ms": 5}]
    again = case("c0", "passed", flaky=True, attempt=2, attempts=attempts)
    await record(runs, org, report(again, status="passed"))
    (one,) = (await read(runs, org))["flaky_cases"]
    assert (one["runs"], one["passed"], one["flake_rate"]) == (1, 1, 0.0)


async def test_runs_that_end_at_once_are_all_counted_in_the_order_of_their_ends(
    runs: Runs, org: str
) -> None:
    letters = "pfbppfppfpfffpbp"
    made = [
        ended(letter + "p", START + timedelta(minutes=number))
        for number, letter in enumerate(letters)
    ]
    random.Random(4).shuffle(made)
    assert all(await asyncio.gather(*(record(runs, org, one) for one in made)))
    found = await read(runs, org)
    assert found["total_runs"] == len(letters)
    one = next(each for each in found["cases"] if each["case_id"] == "c0")
    assert one["history"] == [WORDS[letter] for letter in letters[::-1][:10]]
    assert (one["runs"], one["passed"]) == (len(letters), letters.count("p"))
    assert (one["consecutive_failures"], one["failing_since"]) == (0, None)
    ends = [point["ts"] for point in found["trend"]]
    assert ends == sorted(ends)


async def test_a_late_run_neither_ends_nor_begins_a_row_of_failures(runs: Runs, org: str) -> None:
    for hours, letter in ((0, "p"), (5, "f"), (6, "b"), (4, "p"), (3, "f")):
        await record(runs, org, ended(letter, START + timedelta(hours=hours)))
    (one,) = (await read(runs, org))["cases"]
    assert one["history"] == ["broken", "failed", "passed", "failed", "passed"]
    assert (one["consecutive_failures"], one["failing_since"]) == (2, "2026-03-02T05:00:00Z")


async def test_a_deleted_run_is_taken_out_of_all_figures(runs: Runs, org: str) -> None:
    await run(runs, org, "pfpf", "pppp")
    before = await read(runs, org)
    gone = [
        ended("fff", START + timedelta(hours=2, minutes=1)),
        ended("ffp", START + timedelta(days=9)),
    ]
    for one in gone:
        await record(runs, org, one)
    assert (await read(runs, org))["cases"][0] != before["cases"][0]
    other = ended("p", START, suite_id="other")
    await record(runs, org, other)
    for one in (*gone, other, *gone, ended("p", START)):
        async with runs.database.transaction() as connection:
            await operations.forget_run(connection, org, one["run_id"])
    assert await read(runs, org) == before
    days = (datetime.now(UTC) - START).days + 2
    assert (await read(runs, org, days=days))["total_runs"] == 4
    counts = await runs.sql.fetch(
        "SELECT count(*) FROM runs.analytics_case_day WHERE org_id = $1"
        " UNION ALL SELECT count(*) FROM runs.analytics_suite_day WHERE org_id = $1",
        org,
    )
    assert [row[0] for row in counts] == [2, 1]


async def test_runs_are_deleted_and_counted_at_once(runs: Runs, org: str) -> None:
    made = await run(runs, org, "pfpfpf")
    more = [ended("p", START + timedelta(days=1, hours=n)) for n in range(6)]

    async def forget(run_id: str) -> None:
        async with runs.database.transaction() as connection:
            await operations.forget_run(connection, org, run_id)

    await asyncio.gather(
        *(forget(one["run_id"]) for one in made * 2), *(record(runs, org, one) for one in more)
    )
    found = await read(runs, org)
    assert (found["total_runs"], found["overall_pass_rate"]) == (6, 1.0)
    (one,) = found["cases"]
    assert (one["runs"], one["history"], one["flaky"]) == (6, ["passed"] * 6, False)


async def test_figures_of_one_suite(runs: Runs, org: str) -> None:
    await run(runs, org, "pf")
    await run(runs, org, "pppp", "fppp", suite_id="search", file="search.yml")
    found = await read(runs, org, suite_id="search")
    assert (found["total_runs"], found["overall_pass_rate"]) == (4, 0.875)
    assert {one["suite_id"] for one in found["cases"]} == {"search"}
    assert {point["suite"] for point in found["trend"]} == {"search.yml"}
    assert (await read(runs, org))["total_runs"] == 6
    assert await read(runs, org, suite_id="checkout", limit=0) == {
        **NOTHING,
        "total_runs": 2,
        "overall_pass_rate": 0.5,
        "slowest_cases": (await read(runs, org, suite_id="checkout"))["slowest_cases"],
    }


async def test_figures_of_the_last_days(runs: Runs, org: str) -> None:
    now = datetime.now(UTC)
    for days, letters in ((40, "ff"), (10, "fp"), (1, "pp"), (0, "p")):
        await record(runs, org, ended(letters, now - timedelta(days=days)))
    found = await read(runs, org, days=2)
    assert (found["total_runs"], found["overall_pass_rate"]) == (2, 1.0)
    assert len(found["trend"]) == 2
    by_id = {one["case_id"]: one for one in found["cases"]}
    assert (by_id["c0"]["runs"], by_id["c0"]["history"]) == (2, ["passed"] * 2)
    assert (by_id["c0"]["flaky"], by_id["c1"]["runs"]) == (False, 1)
    found = await read(runs, org, days=30)
    by_id = {one["case_id"]: one for one in found["cases"]}
    assert (found["total_runs"], by_id["c0"]["flake_rate"]) == (3, 0.3333)
    assert (await read(runs, org, days=1))["total_runs"] == 1
    assert (await read(runs, org))["total_runs"] == 4


async def test_a_limit_keeps_the_flakiest_cases_and_the_newest_runs(runs: Runs, org: str) -> None:
    made = await run(runs, org, "pppp", "fppp", "pfpf", "ffff")
    found = await read(runs, org, limit=2)
    assert [one["case_id"] for one in found["cases"]] == ["c2", "c1"]
    assert [one["run_id"] for one in found["trend"]] == [one["run_id"] for one in made[2:]]
    assert len(found["slowest_cases"]) == 4


@pytest.mark.parametrize(
    "query", [{"days": 0}, {"days": "x"}, {"days": 10**9}, {"limit": -1}, {"suite_id": ""}]
)
async def test_bad_queries_are_refused(runs: Runs, org: str, query: dict[str, Any]) -> None:
    answer = await runs.get("analytics", runs.member(org), params=query)
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")
    assert next(iter(query)) in answer.json()["error"]["details"][0]["path"]


async def test_an_organization_sees_its_own_and_a_key_needs_the_scope(runs: Runs, org: str) -> None:
    await run(runs, org, "pf")
    assert await read(runs, new_org()) == NOTHING
    member = runs.member(org)
    assert (await runs.get("analytics", runs.key_of(member, "runs:read"))).status_code == 200
    assert (await runs.get("analytics", runs.key_of(member, "runs:write"))).status_code == 403


async def test_an_erased_organization_leaves_nothing(runs: Runs, org: str) -> None:
    kept = new_org()
    for one in (org, kept):
        await run(runs, one, "pf")
    async with runs.database.transaction() as connection:
        await erasures.forget_organization(connection, org)
    assert await read(runs, org) == NOTHING
    for table in ("run", "outcome", "suite", "suite_day", "case", "case_day"):
        count = f"SELECT count(*) FROM runs.analytics_{table} WHERE org_id = $1"  # noqa: S608
        assert await runs.sql.fetchval(count, org) == 0, table
        assert await runs.sql.fetchval(count, kept) > 0, table


async def test_no_question_reads_the_history(runs: Runs, org: str) -> None:
    """The plan for a suite's figures names sums, and of runs only the index of the newest."""
    await run(runs, org, "pf" * 20)
    await runs.sql.execute("ANALYZE")
    rows = await runs.sql.fetch(
        """
        EXPLAIN SELECT run_id, ended_at, file, outcomes, passed FROM runs.analytics_run
         WHERE org_id = $1 ORDER BY ended_at DESC, run_id DESC LIMIT 5
        """,
        org,
    )
    plan = "\n".join(row[0] for row in rows)
    assert "analytics_run_newest" in plan
    assert "Sort" not in plan


async def test_figures_are_those_of_the_runs_that_are_there(runs: Runs, org: str) -> None:
    """Whatever order runs were counted and deleted in, as counting them anew would give."""
    chance, now = random.Random(11), datetime.now(UTC)
    there: list[tuple[datetime, str, dict[str, Any]]] = []
    for _ in range(40):
        if there and chance.random() < 0.3:
            _, _, gone = there.pop(chance.randrange(len(there)))
            async with runs.database.transaction() as connection:
                await operations.forget_run(connection, org, gone["run_id"])
        else:
            at = now - timedelta(days=chance.randrange(6), seconds=chance.randrange(1, 3_000))
            letters = chance.choice("pfbs")
            made = ended(letters + "p", at)
            there.append((at, letters, made))
            await record(runs, org, made)
    for days in (1, 2, 4, 6, None):
        first = None if days is None else now.date() - timedelta(days=days - 1)
        counted = sorted(
            (one for one in there if first is None or one[0].date() >= first),
            key=lambda one: (one[0], one[2]["run_id"]),
            reverse=True,
        )
        found = await read(runs, org, **({} if days is None else {"days": days}))
        assert found["total_runs"] == len(counted)
        assert [one["run_id"] for one in found["trend"]] == [
            one["run_id"] for _, _, one in counted[::-1]
        ]
        by_id = {one["case_id"]: one for one in found["cases"]}
        words = [WORDS[letter] for _, letter, _ in counted if letter != "s"]
        if words:
            assert (by_id["c0"]["runs"], by_id["c0"]["passed"]) == (
                *(len(words), words.count("passed")),
            )
            assert by_id["c0"]["history"] == words[:10]
            assert by_id["c0"]["avg_duration_ms"] == 100
