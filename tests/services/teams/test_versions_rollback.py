"""Bringing back what a team was (teams contract, sections 4, 5.1 and 14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.teams.app import SERVICE
from services.teams.versions import rules
from shared.errors import BadRequest, NotFound
from tests.services.teams.conftest import FakeAuth, Machine, teams_settings
from tests.services.teams.tasks_support import Sql, news_of, said_of
from tests.services.teams.versions_support import FULL, HASHES, roll_back, update, version, versions
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of

SECTIONS = "".join(f"## {number}\n{'x' * 9_000}\n" for number in range(11))


@pytest.fixture(scope="module")
async def replica(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Another process on the same database."""
    async with client_of(SERVICE, teams_settings(urls, auth_url)) as client:
        yield client


async def test_a_rollback_is_a_version_that_says_the_old_one_again(
    machine: Machine, sql: Sql
) -> None:
    made = await machine.make(**FULL)
    made.pop("owner_claim_secret")
    emptied: dict[str, Any] = {"members": [], "skills": [], "platforms": []}
    other = await update(machine, made["id"], name="Other", knowledge="a", **emptied)
    assert other["hash"] != made["hash"]
    before = len(await news_of(sql, made["id"], "knowledge"))
    answer = await roll_back(machine, 1)
    assert answer.status_code == 200
    assert answer.json() == {"team": made, "version": 3}
    assert await machine.team() == made
    head = await machine.send("GET", f"/api/teams/{machine.token}/head")
    assert head.json() == {key: made[key] for key in HASHES}
    newest = (await versions(machine))[0]
    assert (newest["version"], newest["summary"]) == (3, "rolled back to version 1")
    assert (newest["hash"], newest["actor"]) == (made["hash"], machine.token[:12])
    assert (await version(machine, 3)).json()["team"] == made
    told = (await news_of(sql, made["id"], "knowledge"))[before:]
    content = {"content": FULL["knowledge"], "knowledge_hash": made["knowledge_hash"]}
    assert told == [
        (
            before + 1,
            "knowledge:updated",
            content | {"knowledge_size": len(FULL["knowledge"].encode())},
            f"token:{machine.token}",
        )
    ]
    said = await said_of(sql, made["id"], "team.changed.v1", "knowledge.changed.v1")
    kinds = {(event["kind"], event.get("version"), event.get("number")) for event in said[-2:]}
    assert kinds == {
        ("team.changed.v1", 3, None),
        ("knowledge.changed.v1", None, before + 1),
    }
    assert (await roll_back(machine, 2)).json() == {"team": other, "version": 4}


async def test_knowledge_is_replaced_and_can_be_deleted(machine: Machine, sql: Sql) -> None:
    made = await machine.make()
    await update(machine, members=made["members"], knowledge="a leaked key")
    told = len(await news_of(sql, made["id"], "knowledge"))
    assert (await roll_back(machine, 1)).json()["team"]["knowledge"] is None
    assert len(await news_of(sql, made["id"], "knowledge")) == told + 1
    assert (await machine.team())["knowledge"] is None


async def test_sections_that_were_pruned_come_back(machine: Machine) -> None:
    await machine.make(knowledge=SECTIONS)
    pushed = await machine.post(
        "/api/teams/knowledge", {"token": machine.token, "content": "## 11\n" + "y" * 9_000}
    )
    assert pushed.json()["knowledge_size"] <= 80_000
    assert "## 0\n" not in (await machine.team())["knowledge"]
    assert (await roll_back(machine, 1)).json()["team"]["knowledge"] == SECTIONS


async def test_what_has_not_changed_is_not_written_anew(machine: Machine, sql: Sql) -> None:
    made = await machine.make(**FULL)
    made.pop("owner_claim_secret")
    await update(machine, knowledge="more")
    await roll_back(machine, 1)
    told = await news_of(sql, made["id"], "knowledge")
    said = len(await said_of(sql, made["id"], "team.changed.v1"))
    for number in (1, 3):
        answer = await roll_back(machine, number)
        assert answer.json() == {"team": made, "version": 3}
    assert len(await versions(machine)) == 3
    assert await news_of(sql, made["id"], "knowledge") == told
    assert len(await said_of(sql, made["id"], "team.changed.v1")) == said


async def test_a_stale_base_is_a_conflict(machine: Machine) -> None:
    made = await machine.make()
    changed = await update(machine, knowledge="new")
    stale = await roll_back(machine, 1, base_hash=made["hash"])
    assert stale.status_code == 409
    assert stale.json() == {"error": "conflict", "server_hash": changed["hash"]}
    assert len(await versions(machine)) == 2
    assert (await roll_back(machine, 1, base_hash=changed["hash"])).json()["version"] == 3
    # What is no hash counts as absent.
    for junk in ("", "x", changed["hash"].upper() + "0", 5, None, ["a"]):
        assert (await roll_back(machine, 2, base_hash=junk)).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, "version is required"),
        ({"version": None}, 400, "version is required"),
        ({"version": "1"}, 400, "version must be a positive integer"),
        ({"version": 1.0}, 400, "version must be a positive integer"),
        ({"version": True}, 400, "version must be a positive integer"),
        ({"version": 0}, 400, "version must be a positive integer"),
        ({"version": -1}, 400, "version must be a positive integer"),
        ({"version": [1]}, 400, "version must be a positive integer"),
        ({"version": {}}, 400, "version must be a positive integer"),
        ({"version": 2}, 404, "not_found"),
        ({"version": 2**31}, 404, "not_found"),
        ({"version": 10**400}, 404, "not_found"),
    ],
)
async def test_what_is_no_version_is_refused(
    machine: Machine, body: dict[str, Any], status: int, text: str
) -> None:
    await machine.make()
    answer = await machine.post("/api/teams/rollback", {"token": machine.token, **body})
    assert (answer.status_code, answer.json()) == (status, {"error": text})


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12))
def test_any_number_is_read_or_refused(value: Any) -> None:
    with suppress(BadRequest, NotFound):
        assert rules.read_version({"version": value}) == value
    with suppress(NotFound):
        assert rules.read_number(str(value)) == int(value)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"version":NaN}',
        b'{"version":1e400}',
        b'{"version":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"version":1,"team_id":"\\u0000"}',
        b'{"version":1,"team_id":"\\ud800"}',
    ],
    ids=range(9),
)
async def test_a_hostile_body_is_refused(machine: Machine, body: bytes) -> None:
    await machine.make()
    answer = await machine.send("POST", "/api/teams/rollback", content=body)
    assert answer.status_code == 400, answer.text
    assert isinstance(answer.json()["error"], str)


async def test_only_the_owner_rolls_a_closed_team_back(
    machine: Machine, stranger: Machine, auth: FakeAuth, sql: Sql
) -> None:
    auth.link(machine.token, "usr_owner")
    made = await machine.make()
    await update(machine, knowledge="new")
    await sql.execute(
        "INSERT INTO teams.membership (token, team_id) VALUES ($1, $2)", stranger.token, made["id"]
    )
    await sql.execute("UPDATE teams.team SET edit = 'owner' WHERE id = $1", made["id"])
    refused = await roll_back(stranger, 1)
    assert refused.status_code == 403
    assert refused.json() == {"error": "only the team owner can change the team"}
    auth.link(stranger.token, "usr_other")
    assert (await roll_back(stranger, 1)).status_code == 403
    auth.is_away = True
    try:
        away = await roll_back(machine, 1)
    finally:
        auth.is_away = False
    assert away.status_code == 503
    assert len(await versions(machine)) == 2
    assert (await roll_back(machine, 1)).json()["version"] == 3
    # A link that was taken away holds no more, whoever the account is.
    auth.owners[machine.token]["linked"] = False
    assert (await roll_back(machine, 2)).status_code == 403
    # Anybody may read.
    assert (await version(stranger, 1)).status_code == 200


async def test_auth_is_not_asked_for_a_team_open_to_its_members(
    machine: Machine, auth: FakeAuth
) -> None:
    await machine.make()
    await update(machine, knowledge="new")
    asked = len(auth.asked)
    assert (await roll_back(machine, 1)).status_code == 200
    assert len(auth.asked) == asked


async def test_a_repeat_is_answered_and_not_applied(
    machine: Machine, replica: httpx.AsyncClient
) -> None:
    await machine.make()
    await update(machine, knowledge="new")
    body = {"token": machine.token, "version": 1}
    signature = machine.signature()
    first = await machine.post("/api/teams/rollback", body, signature=signature)
    machine.client = replica
    again = await machine.post("/api/teams/rollback", body, signature=signature)
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await versions(machine)) == 3
    # What has come after it stays, and the answer is the one that was given.
    newer = await update(machine, knowledge="newer")
    late = await machine.post("/api/teams/rollback", body, signature=signature)
    assert (late.status_code, late.content) == (200, first.content)
    assert await machine.team() == newer
    assert len(await versions(machine)) == 4
    moved = await machine.post(
        "/api/teams/rollback", {"token": machine.token, "version": 2}, signature=signature
    )
    assert moved.status_code == 401
    assert len(await versions(machine)) == 4


async def test_of_rollbacks_at_once_with_one_base_one_succeeds(machine: Machine) -> None:
    made = await machine.make()
    changed = await update(machine, members=made["members"], knowledge="new")
    answers = await asyncio.gather(
        *(roll_back(machine, 1, base_hash=changed["hash"]) for _ in range(10))
    )
    assert sorted(one.status_code for one in answers) == [200] + [409] * 9
    assert len(await versions(machine)) == 3


async def test_rollbacks_and_pushes_at_once_leave_whole_versions(machine: Machine) -> None:
    await machine.make(knowledge="start")

    async def push(number: int) -> None:
        body = {"token": machine.token, "content": f"line {number}"}
        assert (await machine.post("/api/teams/knowledge", body)).status_code == 200

    rollbacks = [roll_back(machine, 1) for _ in range(8)]
    await asyncio.gather(*(push(number) for number in range(12)), *rollbacks)
    listed = await versions(machine, limit=100)
    assert [one["version"] for one in listed] == list(range(len(listed), 0, -1))
    for one in listed:
        read = (await version(machine, one["version"])).json()["team"]
        assert read["hash"] == one["hash"]
    assert read["knowledge"] == "start"
    assert listed[0]["hash"] == (await machine.team())["hash"]
