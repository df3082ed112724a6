from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.learnings.learnings.models import Learning, NewLearning
from shared.principal import Kind
from tests.services.learnings.conftest import Tenant
from tests.support.service import person

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def events_of(sql: Sql, tenant: Tenant) -> list[dict[str, Any]]:
    rows = await sql.fetch("SELECT kind, payload FROM learnings.outbox ORDER BY id")
    said = [{"kind": row["kind"], **json.loads(row["payload"])} for row in rows]
    return [event for event in said if event["org_id"] == tenant.org]


async def test_a_learning_comes_back_as_it_was_sent(tenant: Tenant) -> None:
    sent = {
        "summary": "  SQLite needs WAL ",
        "detail": "for readers",
        "tags": ["sqlite", " ", "wal", "sqlite"],
        "impact": 0.7000000000000001,
        "status": "resolved",
        "type": "something new",
        "source_project": "0123456789abcdef",
        "source_learning_id": "L-ab12",
        "client_id": "sync-cli-0123456789abcdef",
        "vector_clock": {"aaaaaaaaaaaaaaaa": 3},
        "metadata": {"origin_project": "git:0123456789abcdef", "free": "é"},
        "sync_hash": "0" * 64,
        "embedding": [0.1],
        "confidence": "high",
        "anchors": [{"file": "a.py", "line": 3}],
        "nudge_line": None,
        "who": "knows",
    }
    made = await tenant.record(**sent)
    assert made["id"].startswith("L-")
    assert len(made["id"]) >= 14
    Learning.model_validate(made)
    assert made["summary"] == "SQLite needs WAL"
    assert made["tags"] == ["sqlite", "wal"]
    assert made["origin_project"] == "git:0123456789abcdef"
    assert made["vector_clock"].pop("aaaaaaaaaaaaaaaa") == 3
    assert list(made["vector_clock"].values()) == [1]
    assert made["created_at"] == made["updated_at"]
    assert made["created_at"].endswith("Z")
    assert made["version"] == 1
    for name in ("detail", "impact", "status", "type", "metadata", "sync_hash", "confidence"):
        assert made[name] == sent[name]
    assert made["anchors"] == sent["anchors"]
    assert not {"nudge_line", "who", "embedding"} & set(made)
    again = await tenant.send("GET", f"/v1/learnings/{made['id']}/")
    assert again.json() == (await tenant.page())["items"][0]
    assert again.json()["vector_clock"]["aaaaaaaaaaaaaaaa"] == 3


async def test_little_is_needed(tenant: Tenant) -> None:
    made = await tenant.record(detail=None, source_project=None, source_learning_id=None)
    assert made["detail"] == ""
    assert made["impact"] == 0.5
    assert (made["status"], made["type"], made["tags"]) == ("active", "pattern", [])
    assert made["metadata"] == {}


@pytest.mark.parametrize("impact", [0, 1, 0.0, 1.0, 1e-300, 5e-324])
async def test_impact_takes_its_whole_range(tenant: Tenant, impact: float) -> None:
    assert (await tenant.record(impact=impact))["impact"] == impact


BAD: list[tuple[Any, list[list[str | int]]]] = [
    ({}, [["body", "summary"]]),
    ({"summary": " "}, [["body", "summary"]]),
    ({"summary": "x" * 65_537}, [["body", "summary"]]),
    ({"summary": None, "detail": 3}, [["body", "detail"], ["body", "summary"]]),
    ({"summary": "s", "detail": "x" * 65_537}, [["body", "detail"]]),
    ({"summary": "s", "impact": 1.1}, [["body", "impact"]]),
    ({"summary": "s", "impact": -1}, [["body", "impact"]]),
    ({"summary": "s", "impact": "0.5"}, [["body", "impact"]]),
    ({"summary": "s", "impact": True}, [["body", "impact"]]),
    ({"summary": "s", "status": "open", "tags": "a"}, [["body", "status"], ["body", "tags"]]),
    ({"summary": "s", "tags": ["a", 1, "b", None]}, [["body", "tags", 1], ["body", "tags", 3]]),
    ({"summary": "s", "tags": ["x" * 201]}, [["body", "tags", 0]]),
    ({"summary": "s", "tags": [str(n) for n in range(201)]}, [["body", "tags"]]),
    ({"summary": "s", "metadata": {"a": 1}}, [["body", "metadata", "a"]]),
    ({"summary": "s", "vector_clock": {"a": -1}}, [["body", "vector_clock", "a"]]),
    ({"summary": "s", "sync_hash": "xyz"}, [["body", "sync_hash"]]),
    ({"summary": "s", "anchors": [1, 2, 3, 4]}, [["body", "anchors"]]),
    ({"summary": "a\0b", "tags": ["\0"]}, [["body", "summary"], ["body", "tags", 0]]),
    ([], [["body"]]),
    ("summary", [["body"]]),
]


@pytest.mark.parametrize(("body", "places"), BAD, ids=lambda value: str(value)[:40])
async def test_every_fault_is_named_and_nothing_stored(
    tenant: Tenant, body: Any, places: list[list[str | int]]
) -> None:
    answer = await tenant.send("POST", "/v1/learnings", json=body)
    assert answer.status_code == 422, answer.text
    faults = answer.json()["detail"]
    assert sorted(fault["loc"] for fault in faults) == sorted(places)
    assert all(fault["msg"] and fault["type"] for fault in faults)
    assert (await tenant.page())["total"] == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"null",
        b"\xff",
        b'{"summary": "\\ud800"}',
        b'{"summary": "\xed\xa0\x80"}',
        b'{"summary": "s", "impact": NaN}',
        b'{"summary": "s", "impact": Infinity}',
        b"[" * 100_000,
        b'{"summary": "s", "anchors": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
    ids=lambda raw: str(raw[:30]),
)
async def test_what_is_not_json_is_refused(tenant: Tenant, raw: bytes) -> None:
    answer = await tenant.send("POST", "/v1/learnings", content=raw)
    assert answer.status_code in (400, 422), answer.text
    assert (await tenant.page())["total"] == 0


async def test_numbers_out_of_range_do_not_break_what_is_free(tenant: Tenant) -> None:
    raw = b'{"summary": "s", "anchors": [1e400, -1e999, 1e-400, ' + b"9" * 300 + b"]}"
    answer = await tenant.send("POST", "/v1/learnings", content=raw)
    assert answer.status_code in (201, 400, 422), answer.text


TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from([*NewLearning.model_fields])
LIKELY = st.fixed_dictionaries(
    {"summary": TEXT},
    optional={
        "detail": TEXT | st.none(),
        "tags": st.lists(TEXT, max_size=5),
        "impact": st.floats(),
        "metadata": st.dictionaries(TEXT, TEXT, max_size=3),
        "vector_clock": st.dictionaries(TEXT, st.integers(), max_size=3),
        "anchors": st.lists(JSON, max_size=3),
        "type": TEXT,
        "source_learning_id": TEXT,
    },
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=LIKELY | st.dictionaries(FIELDS, JSON) | JSON)
async def test_no_body_breaks_the_service(client: httpx.AsyncClient, body: Any) -> None:
    tenant = Tenant(client)
    raw = json.dumps(body).encode()
    answer = await tenant.send("POST", "/v1/learnings", content=raw)
    assert answer.status_code in (201, 400, 422), (answer.status_code, answer.text)
    found = await tenant.page()
    assert found["total"] == len(found["items"]) == (answer.status_code == 201)
    if answer.status_code == 201:
        assert found["items"][0] == answer.json()
        assert answer.json()["summary"].strip() == body["summary"].strip()


async def test_the_longest_texts_are_kept(tenant: Tenant) -> None:
    for summary in ("x" * 65_536, "𐍈 " * 32_767 + "𐍈", "a-b.c/" * 10_000):
        made = await tenant.record(summary=summary, detail=summary, tags=["-" * 200] * 300)
        assert made["summary"] == made["detail"] == summary


async def test_recording_says_so(tenant: Tenant, sql: Sql) -> None:
    made = await tenant.record(summary="first")
    (event,) = await events_of(sql, tenant)
    assert event["kind"] == "learning.recorded.v1"
    assert event["learning_id"] == made["id"]
    assert (event["summary"], event["version"]) == ("first", 1)


async def test_the_writers_own_id_is_known_again(tenant: Tenant, sql: Sql) -> None:
    body = {"summary": "old", "source_learning_id": "L-ab12", "tags": ["a"]}
    made = await tenant.record(**body)
    same = await tenant.send("POST", "/v1/learnings", json=body)
    assert same.status_code == 200
    assert same.json() == made
    edited = await tenant.send("POST", "/v1/learnings", json=body | {"summary": "new"})
    assert edited.status_code == 200
    assert (edited.json()["id"], edited.json()["summary"]) == (made["id"], "new")
    assert edited.json()["version"] == 2
    assert edited.json()["sync_seq"] > made["sync_seq"]
    assert (await tenant.page())["total"] == 1
    kinds = [event["kind"] for event in await events_of(sql, tenant)]
    assert kinds == ["learning.recorded.v1", "learning.changed.v1"]


async def test_the_same_id_of_another_writer_is_another_learning(tenant: Tenant) -> None:
    other = Tenant(tenant.client, replace(tenant.principal, kind=Kind.API_KEY, subject="key_2"))
    ids = {
        (await tenant.record(source_learning_id="L-ab12"))["id"],
        (await tenant.record(source_learning_id="L-ab12", source_project="f" * 16))["id"],
        (await tenant.record(source_learning_id="L-ab12", source_project="e" * 16))["id"],
        (await other.record(source_learning_id="L-ab12"))["id"],
        (await other.record())["id"],
        (await other.record())["id"],
    }
    assert len(ids) == (await tenant.page())["total"] == 6


async def test_many_at_once_are_one_when_they_are_the_same(tenant: Tenant, sql: Sql) -> None:
    body = {"summary": "same", "source_learning_id": "L-ab12"}
    answers = await asyncio.gather(
        *(tenant.send("POST", "/v1/learnings", json=body) for _ in range(12))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await tenant.page())["total"] == 1
    assert len(await events_of(sql, tenant)) == 1


async def test_numbers_rise_in_commit_order(tenant: Tenant) -> None:
    made = await asyncio.gather(*(tenant.record(summary=f"{n}") for n in range(20)))
    assert sorted(item["sync_seq"] for item in made) == list(range(1, 21))
    in_order = sorted(made, key=lambda item: item["sync_seq"])
    times = [item["created_at"] for item in in_order]
    assert times == sorted(set(times))


async def test_an_idempotency_key_records_once(tenant: Tenant) -> None:
    key = {"Idempotency-Key": "one"}
    first, again = [
        await tenant.send("POST", "/v1/learnings", json={"summary": "s"}, headers=key)
        for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["idempotent-replay"] == "true"
    other = await tenant.send("POST", "/v1/learnings", json={"summary": "t"}, headers=key)
    assert other.status_code == 422
    assert (await tenant.page())["total"] == 1


async def test_an_idempotency_key_is_each_principals_own(tenant: Tenant, stranger: Tenant) -> None:
    key = {"Idempotency-Key": "one"}
    for one in (tenant, stranger):
        answer = await one.send("POST", "/v1/learnings", json={"summary": one.org}, headers=key)
        assert answer.status_code == 201
        assert "idempotent-replay" not in answer.headers
        assert answer.json()["summary"] == one.org


async def test_a_refused_request_frees_its_key(tenant: Tenant) -> None:
    key = {"Idempotency-Key": "one"}
    assert (
        await tenant.send("POST", "/v1/learnings", json={"summary": ""}, headers=key)
    ).status_code == 422
    assert (
        await tenant.send("POST", "/v1/learnings", json={"summary": "s"}, headers=key)
    ).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_bad_idempotency_key_is_refused(tenant: Tenant, key: str) -> None:
    answer = await tenant.send(
        "POST", "/v1/learnings", json={"summary": "s"}, headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 422
    assert (await tenant.page())["total"] == 0


async def test_scopes_are_asked_for(client: httpx.AsyncClient) -> None:
    reader = Tenant(client, replace(person(), scopes=("learnings:read",)))
    writer = Tenant(client, replace(person(), scopes=("learnings:write",)))
    refused = await reader.send("POST", "/v1/learnings", json={"summary": "s"})
    assert (refused.status_code, refused.json()) == (
        403,
        {"detail": "Missing scope: learnings:write"},
    )
    for method, path in (("GET", "/v1/learnings"), ("GET", "/v1/learnings/L-x")):
        answer = await writer.send(method, path)
        assert answer.status_code == 403
        assert answer.json() == {"detail": "Missing scope: learnings:read"}


async def test_who_acts_in_no_organization_has_no_learnings(client: httpx.AsyncClient) -> None:
    nobody = Tenant(client, replace(person(), org="", kind=Kind.SERVICE_ACCOUNT))
    assert (await nobody.send("GET", "/v1/learnings")).status_code == 403
    answer = await nobody.send("POST", "/v1/learnings", json={"summary": "s"})
    assert answer.status_code == 403
