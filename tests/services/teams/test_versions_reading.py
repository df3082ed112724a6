"""Listing and reading versions (teams contract, sections 4 and 5.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.services.teams.conftest import Machine
from tests.services.teams.tasks_support import Sql, joined
from tests.services.teams.versions_support import FULL, HASHES, roll_back, update, version, versions


async def test_each_change_is_a_version_and_creation_the_first(
    machine: Machine, stranger: Machine, sql: Sql
) -> None:
    made = await machine.make()
    await joined(sql, stranger, made["id"])
    changed = await update(stranger, knowledge="new")
    await update(stranger)  # nothing new
    pushed = await machine.post("/api/teams/knowledge", {"token": machine.token, "content": "x"})
    listed = await versions(machine)
    assert [one["version"] for one in listed] == [3, 2, 1]
    assert [one["hash"] for one in listed] == [
        (await machine.team())["hash"],
        changed["hash"],
        made["hash"],
    ]
    assert pushed.status_code == 200
    short = [token[:12] for token in (machine.token, stranger.token, machine.token)]
    assert [one["actor"] for one in listed] == short
    assert [one["summary"] for one in listed] == [
        "knowledge +3 bytes",
        "members +2 -1, knowledge +3 bytes",
        "created",
    ]
    times = [datetime.fromisoformat(one["created_at"]) for one in listed]
    assert sorted(times, reverse=True) == times
    assert datetime.now(UTC) - times[0] < timedelta(minutes=1)
    assert {key for one in listed for key in one} == {
        "version",
        "hash",
        "actor",
        "summary",
        "created_at",
    }


async def test_a_version_is_read_as_the_team_was(machine: Machine) -> None:
    made = await machine.make(**FULL)
    assert made.pop("owner_claim_secret")
    await update(machine, made["id"], name="Other", members=[], skills=[], knowledge="more")
    answer = await version(machine, 1)
    assert answer.status_code == 200
    assert answer.json() == {"version": 1, "team": made}
    assert answer.json()["team"]["members"] == FULL["members"]
    assert all(len(made[key]) == 64 for key in HASHES)
    newest = (await version(machine, 2)).json()
    assert newest == {"version": 2, "team": await machine.team()}


async def test_a_list_is_paged(machine: Machine) -> None:
    await machine.make()
    for number in range(2, 26):
        await machine.post(
            "/api/teams/knowledge", {"token": machine.token, "content": f"line {number}"}
        )

    async def numbers(**query: Any) -> list[int]:
        return [one["version"] for one in await versions(machine, **query)]

    assert await numbers() == list(range(25, 5, -1))
    assert await numbers(limit=100) == list(range(25, 0, -1))
    assert await numbers(limit=2, before=25) == [24, 23]
    assert await numbers(before=3) == [2, 1]
    assert await numbers(before=1) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"before": 0}, "before"),
        ({"before": 2**31}, "before"),
    ],
)
async def test_a_wrong_query_is_refused(
    machine: Machine, query: dict[str, Any], field: str
) -> None:
    await machine.make()
    answer = await machine.send("GET", f"/api/teams/{machine.token}/versions", params=query)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(field)


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "1.0", "9" * 30, "2147483648", "%D9%A1"])
async def test_no_such_version_is_not_found(machine: Machine, number: str) -> None:
    await machine.make()
    answer = await version(machine, number)
    assert (answer.status_code, answer.json()) == (404, {"error": "not_found"})


async def test_versions_are_the_teams_own(machine: Machine, stranger: Machine, sql: Sql) -> None:
    theirs = await machine.make()
    await update(machine, knowledge="secret")
    missing = (404, {"error": "not_found"})

    async def asked(**query: Any) -> list[tuple[int, Any]]:
        path = f"/api/teams/{stranger.token}/versions"
        answers = (
            await stranger.send("GET", path, params=query),
            await version(stranger, 1, **query),
            await roll_back(stranger, 1, **query),
        )
        return [(one.status_code, one.json()) for one in answers]

    assert await asked() == [missing] * 3
    for team_id in (theirs["id"], "no uuid", "", 5):
        assert await asked(team_id=team_id) == [missing] * 3
    # With a team of its own, still none of another's.
    await stranger.make("Mine")
    assert await asked(team_id=theirs["id"]) == [missing] * 3
    assert (await version(stranger, 2)).status_code == 404
    assert (await roll_back(stranger, 2)).status_code == 404
    assert [one["version"] for one in await versions(stranger)] == [1]
    await sql.execute("UPDATE teams.team SET deleted_at = now() WHERE id = $1", theirs["id"])
    assert (await version(machine, 1)).status_code == 404
    assert (await roll_back(machine, 1)).status_code == 404
    assert len(await versions(stranger)) == 1


async def test_several_teams_need_a_name(machine: Machine) -> None:
    one = await machine.make("One")
    await machine.make("Other")
    many = (409, {"error": "team_id required: token belongs to multiple teams"})
    answers = (
        await machine.send("GET", f"/api/teams/{machine.token}/versions"),
        await version(machine, 1),
        await roll_back(machine, 1),
    )
    assert [(each.status_code, each.json()) for each in answers] == [many] * 3
    assert (await version(machine, 1, team_id=one["id"])).json()["team"]["name"] == "One"
    assert (await roll_back(machine, 1, team_id=one["id"])).json()["version"] == 1
