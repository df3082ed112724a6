from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any, TypeAlias

import asyncpg
import pytest

from services.learnings.learnings.models import Learning
from shared.principal import Role
from tests.services.learnings.conftest import Tenant

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def changes_of(sql: Sql, learning_id: str) -> list[dict[str, Any]]:
    rows = await sql.fetch(
        "SELECT payload FROM learnings.outbox WHERE kind = 'learning.changed.v1' ORDER BY id"
    )
    events = [json.loads(row["payload"]) for row in rows]
    return [event for event in events if event["learning_id"] == learning_id]


async def test_only_what_was_sent_changes(tenant: Tenant, sql: Sql) -> None:
    made = await tenant.record(summary="old", detail="d", tags=["a"], impact=0.3, type="decision")
    body = {"status": "resolved", "tags": ["sqlite", "fixed", "fixed"]}
    answer = await tenant.send("PATCH", f"/v1/learnings/{made['id']}", json=body)
    assert answer.status_code == 200
    after = answer.json()
    Learning.model_validate(after)
    assert (after["status"], after["tags"]) == ("resolved", ["sqlite", "fixed"])
    assert after["updated_at"] > made["updated_at"]
    assert after["version"] == 2
    assert after["sync_seq"] == made["sync_seq"] + 1
    assert list(after["vector_clock"].values()) == [2]
    moved = {"status", "tags", "updated_at", "version", "sync_seq", "vector_clock"}
    assert {name for name in after if after[name] != made[name]} == moved
    assert (await tenant.send("GET", f"/v1/learnings/{made['id']}")).json() == after
    (event,) = await changes_of(sql, made["id"])
    assert (event["org_id"], event["status"], event["version"]) == (tenant.org, "resolved", 2)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "obsolete"},
        {"status": "obsolete_poisoned"},
        {"tags": []},
        {"summary": " new "},
        {"detail": None},
        {"detail": "more"},
        {"impact": 0},
        {"summary": "a", "detail": "b", "tags": ["c"], "impact": 1, "status": "archived"},
    ],
    ids=str,
)
async def test_each_field_can_change(tenant: Tenant, change: dict[str, Any]) -> None:
    made = await tenant.record(summary="s", detail="d", tags=["t"], impact=0.5)
    answer = await tenant.send("PATCH", f"/v1/learnings/{made['id']}/status", json=change)
    assert answer.status_code == 200
    for name, value in change.items():
        expected = value.strip() if isinstance(value, str) else value or type(made[name])()
        assert answer.json()[name] == expected


async def test_the_values_it_has_change_nothing(tenant: Tenant, sql: Sql) -> None:
    made = await tenant.record(detail="d", tags=["t"], anchors=[{"a": 1.5}], metadata={"m": "n"})
    same = {name: made[name] for name in ("status", "tags", "summary", "detail", "impact")}
    answer = await tenant.send("PATCH", f"/v1/learnings/{made['id']}", json=same)
    assert answer.status_code == 200
    assert answer.json() == made
    assert await changes_of(sql, made["id"]) == []


BAD: list[tuple[Any, list[list[str]]]] = [
    ({}, [["body"]]),
    ({"unknown": 1}, [["body"]]),
    ({"status": "open"}, [["body", "status"]]),
    ({"status": None, "impact": 2}, [["body", "impact"], ["body", "status"]]),
    ({"summary": " "}, [["body", "summary"]]),
    ({"tags": None}, [["body", "tags"]]),
    ([], [["body"]]),
]


@pytest.mark.parametrize(("body", "places"), BAD, ids=str)
async def test_a_bad_change_changes_nothing(
    tenant: Tenant, body: Any, places: list[list[str]]
) -> None:
    made = await tenant.record()
    answer = await tenant.send("PATCH", f"/v1/learnings/{made['id']}", json=body)
    assert answer.status_code == 422
    assert sorted(fault["loc"] for fault in answer.json()["detail"]) == places
    assert (await tenant.page())["items"] == [made]


async def test_every_concurrent_change_counts(tenant: Tenant, sql: Sql) -> None:
    made = await tenant.record()
    answers = await asyncio.gather(
        *(
            tenant.send("PATCH", f"/v1/learnings/{made['id']}", json={"summary": f"{n}"})
            for n in range(12)
        )
    )
    versions = sorted(answer.json()["version"] for answer in answers)
    assert versions == list(range(2, 14))
    events = await changes_of(sql, made["id"])
    assert sorted(event["version"] for event in events) == versions
    # Numbers were given under the row's lock, so they rise as the versions do.
    by_version = sorted(answers, key=lambda answer: int(answer.json()["version"]))
    numbers = [answer.json()["sync_seq"] for answer in by_version]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("path", ["L-none", "x" * 3000, "%00", "%ff", "ä", "' OR 1=1"])
async def test_what_is_not_there_is_not_found(tenant: Tenant, path: str) -> None:
    for method, body in (("GET", None), ("PATCH", {"status": "active"})):
        answer = await tenant.send(method, f"/v1/learnings/{path}", json=body)
        assert answer.status_code == (422 if path == "%00" else 404), answer.text
        if path != "%00":
            assert answer.json() == {"detail": "Not Found"}


async def test_deleting_retires_and_the_end_travels(tenant: Tenant, sql: Sql) -> None:
    made = await tenant.record(summary="to go")
    for _ in range(2):
        answer = await tenant.send("DELETE", f"/v1/learnings/{made['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
    shown = (await tenant.send("GET", f"/v1/learnings/{made['id']}")).json()
    assert shown["status"] == "obsolete"
    assert shown["version"] == 2
    assert shown["sync_seq"] > made["sync_seq"]
    kinds = await sql.fetch(
        "SELECT kind FROM learnings.outbox WHERE payload LIKE '%' || $1 || '%' ORDER BY id",
        made["id"],
    )
    assert [row["kind"] for row in kinds] == ["learning.recorded.v1", "learning.retired.v1"]


@pytest.mark.parametrize("id", ["L-none", "x" * 300])
async def test_deleting_what_is_not_there(tenant: Tenant, id: str) -> None:
    answer = await tenant.send("DELETE", f"/v1/learnings/{id}")
    assert answer.status_code == 404


async def test_only_platform_administrators_share_with_everybody(tenant: Tenant) -> None:
    made = await tenant.record()
    path = f"/v1/learnings/{made['id']}"
    for tier in ("company", "team"):
        refused = await tenant.send("PATCH", path, json={"tier": tier})
        assert refused.status_code == 403
        assert refused.json() == {"detail": "Admin role required"}
    root = Tenant(tenant.client, replace(tenant.principal, role=Role.PLATFORM_ADMIN))
    shared = await root.send("PATCH", path, json={"tier": "company"})
    assert shared.status_code == 200
    assert (shared.json()["tier"], shared.json()["version"]) == ("company", 2)
    same = await root.send("PATCH", path, json={"tier": "company"})
    assert same.json() == shared.json()
    back = await root.send("PATCH", path, json={"tier": "team", "impact": 1})
    assert (back.json()["tier"], back.json()["impact"]) == ("team", 1)
    for bad in (None, "world", 1):
        assert (await root.send("PATCH", path, json={"tier": bad})).status_code == 422


async def test_a_change_is_redacted_like_a_recording(tenant: Tenant) -> None:
    made = await tenant.record(metadata={"free": "kept"})
    path = f"/v1/learnings/{made['id']}"
    answer = await tenant.send("PATCH", path, json={"detail": "ask ada@example.org"})
    assert answer.json()["detail"] == "ask <email>"
    assert answer.json()["metadata"] == {"free": "kept", "redacted": "true"}
    again = await tenant.send("PATCH", path, json={"detail": "ask <email>"})
    assert again.json() == answer.json()
