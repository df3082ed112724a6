"""A signed request that changes something is applied once (teams contract, section 2.1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest

from services.teams.app import SERVICE
from services.teams.replays import operations as replays
from shared.db import Database
from shared.secret import decode_base64url
from tests.services.teams.conftest import Machine, teams_settings
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
USED = {"error": "unauthorized", "reason": "signature already used for another request"}


@pytest.fixture(scope="module")
async def replica(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A second process' worth of the service, on the same database."""
    async with client_of(SERVICE, teams_settings(urls, auth_url)) as client:
        yield client


def pushing(machine: Machine, *names: str, **more: Any) -> dict[str, Any]:
    members = [{"name": name, "role": "dev"} for name in names]
    return {"token": machine.token, "team": {"members": members}, **more}


async def versions(sql: Sql, team_id: str) -> int:
    counted: int = await sql.fetchval(
        "SELECT count(*) FROM teams.version WHERE team_id = $1", team_id
    )
    return counted


async def test_a_repeat_is_answered_and_not_applied_again(machine: Machine, sql: Sql) -> None:
    team_id = (await machine.make())["id"]
    signature, body = machine.signature(), pushing(machine, "alice", "bob")
    first = await machine.post("/api/teams", body, signature=signature)
    again = await machine.post("/api/teams", body, signature=signature)
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert await versions(sql, team_id) == 2


async def test_a_repeat_at_another_replica_is_one(
    machine: Machine, replica: httpx.AsyncClient, sql: Sql
) -> None:
    team_id = (await machine.make())["id"]
    signature, body = machine.signature(), pushing(machine, "alice", "bob")
    first = await machine.post("/api/teams", body, signature=signature)
    machine.client = replica
    again = await machine.post("/api/teams", body, signature=signature)
    assert again.headers["idempotent-replay"] == "true"
    assert again.content == first.content
    assert await versions(sql, team_id) == 2


async def test_repeats_that_come_together_are_applied_once(
    machine: Machine, replica: httpx.AsyncClient, sql: Sql
) -> None:
    twin = Machine(replica)
    twin.key, twin.token, twin.principal = machine.key, machine.token, machine.principal
    signature = machine.signature()
    body = {"token": machine.token, "team": {"name": "Once", "members": []}}
    answers = await asyncio.gather(
        *(
            one.post("/api/teams", body, signature=signature)
            for one in (machine, twin)
            for _ in range(10)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert sum("idempotent-replay" not in answer.headers for answer in answers) == 1
    assert len({answer.json()["team"]["id"] for answer in answers}) == 1
    counted = await sql.fetchval(
        "SELECT count(*) FROM teams.membership WHERE token = $1", machine.token
    )
    assert counted == 1


async def test_the_secret_is_told_once(machine: Machine) -> None:
    signature = machine.signature()
    body = {"token": machine.token, "team": {"name": "Secret", "members": []}}
    first = await machine.post("/api/teams", body, signature=signature)
    again = await machine.post("/api/teams", body, signature=signature)
    told = first.json()["team"]
    assert told.pop("owner_claim_secret").startswith("trc_ocs_")
    assert again.json()["team"] == told


@pytest.mark.parametrize("other", ["body", "path", "query"])
async def test_a_signature_opens_nothing_else(machine: Machine, other: str) -> None:
    made = await machine.make(knowledge="as it was")
    signature = machine.signature()
    body = {"token": machine.token, "content": "more", "team": {"knowledge": "more"}}
    assert (
        await machine.post("/api/teams/knowledge", body, signature=signature)
    ).status_code == 200
    before = await machine.team()
    path = {"body": "/api/teams/knowledge", "path": "/api/teams", "query": "/api/teams/knowledge?"}
    sent = {**body, "content": "else"} if other == "body" else body
    target = path[other] + ("team_id=" + made["id"] if other == "query" else "")
    refused = await machine.post(target, sent, signature=signature)
    assert (refused.status_code, refused.json()) == (401, USED)
    assert await machine.team() == before


@pytest.mark.parametrize(
    "path",
    ["/api/teams", "/api/join", "/api/teams/claim", "/api/teams/tasks", "/api/teams/rollback"],
)
async def test_a_used_signature_is_named_before_all_else(machine: Machine, path: str) -> None:
    await machine.make()
    signature, body = machine.signature(), {"token": machine.token, "content": "more"}
    first = await machine.post("/api/teams/knowledge", body, signature=signature)
    assert first.status_code == 200
    other = await machine.post(path, body, signature=signature)
    assert (other.status_code, other.json()) == (401, USED)


async def test_a_signature_of_a_refused_request_opens_nothing_else_either(
    machine: Machine,
) -> None:
    await machine.make()
    signature = machine.signature()
    body = {"token": machine.token, "content": "more"}
    assert (await machine.post("/api/teams", body, signature=signature)).status_code == 400
    other = await machine.post("/api/teams/knowledge", body, signature=signature)
    assert (other.status_code, other.json()) == (401, USED)
    again = await machine.post("/api/teams", body, signature=signature)
    assert (again.status_code, again.json()) == (400, {"error": "team is required"})


async def test_a_refused_request_is_judged_anew(machine: Machine) -> None:
    signature, body = machine.signature(), {"token": machine.token, "content": "more"}
    refused = await machine.post("/api/teams/knowledge", body, signature=signature)
    assert refused.status_code == 404
    await machine.make()
    again = await machine.post("/api/teams/knowledge", body, signature=signature)
    assert again.status_code == 200
    assert "idempotent-replay" not in again.headers


async def test_an_answer_that_is_no_longer_true_is_not_repeated(machine: Machine) -> None:
    await machine.make()
    one, signature = pushing(machine, "one"), machine.signature()
    await machine.post("/api/teams", one, signature=signature)
    await machine.post("/api/teams", pushing(machine, "two"))
    again = await machine.post("/api/teams", one, signature=signature)
    assert "idempotent-replay" not in again.headers
    assert [member["name"] for member in again.json()["team"]["members"]] == ["one"]


async def test_after_its_window_a_signature_is_forgotten(
    machine: Machine, sql: Sql, urls: DatabaseUrls
) -> None:
    await machine.make()
    await machine.post("/api/teams", pushing(machine, "bob"))
    await sql.execute(
        "UPDATE teams.replay SET used_at = now() - interval '91 seconds' WHERE token = $1",
        machine.token,
    )
    database = await Database.connect(urls.url("teams"))
    try:
        await replays.sweep(database)
    finally:
        await database.close()
    left = await sql.fetchval("SELECT count(*) FROM teams.replay WHERE token = $1", machine.token)
    assert left == 0


async def test_an_effect_and_its_signature_are_one(
    machine: Machine, sql: Sql, urls: DatabaseUrls
) -> None:
    """Whoever dies before the end leaves neither, so that a repeat is applied."""
    team_id = (await machine.make())["id"]
    blocker = await asyncpg.connect(urls.url("teams"), timeout=10)
    signature, body = machine.signature(), pushing(machine, "alice", "bob")
    async with blocker.transaction():
        await blocker.execute("SELECT FROM teams.team WHERE id = $1 FOR UPDATE", team_id)
        first = asyncio.create_task(machine.post("/api/teams", body, signature=signature))
        async with asyncio.timeout(10):
            while not await sql.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            ):
                await asyncio.sleep(0.01)
        await blocker.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        assert (await first).status_code == 503
    await blocker.close()
    assert await versions(sql, team_id) == 1
    again = await machine.post("/api/teams", body, signature=signature)
    assert (again.status_code, "idempotent-replay" in again.headers) == (201, False)
    assert await versions(sql, team_id) == 2


async def test_only_machines_are_heard(machine: Machine) -> None:
    answer = await machine.client.post("/api/teams", content=json.dumps({}))
    assert answer.status_code == 401


async def test_a_kept_answer_cannot_be_read_without_its_signature(
    machine: Machine, sql: Sql
) -> None:
    await machine.make()
    signature = machine.signature()
    body = {"token": machine.token}
    told = (await machine.post("/api/teams/invite", body, signature=signature)).json()
    again = await machine.post("/api/teams/invite", body, signature=signature)
    assert (again.json(), again.headers["idempotent-replay"]) == (told, "true")
    kept = await sql.fetch("SELECT signature, body FROM teams.replay WHERE body IS NOT NULL")
    held = b"".join(row["signature"] + row["body"] for row in kept)
    assert told["invite_code"].encode() not in held
    assert decode_base64url(signature) not in held
