from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.learnings.conftest import Tenant
from tests.services.learnings.installations_support import HASH, key_of

CLIENT = f"sync-claude-code-{HASH}"


def key(seed: object) -> str:
    return sha256(str(seed).encode()).hexdigest()


async def send(tenant: Tenant, *outcomes: Any, client_id: Any = CLIENT) -> httpx.Response:
    body = json.dumps({"outcomes": outcomes, "client_id": client_id}).encode()
    return await send_raw(tenant, body)


async def send_raw(tenant: Tenant, body: bytes) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return await tenant.send("POST", "/v1/sync/outcomes", content=body, headers=headers)


async def taken(tenant: Tenant, *outcomes: Any, client_id: Any = CLIENT) -> dict[str, Any]:
    answer = await send(tenant, *outcomes, client_id=client_id)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def listed(tenant: Tenant, **query: Any) -> dict[str, Any]:
    answer = await tenant.send("GET", "/v1/outcomes", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def score(tenant: Tenant, learning_id: str) -> dict[str, float]:
    found: dict[str, float] = (await listed(tenant, learning_id=learning_id))["score"]
    return found


def full(**fields: Any) -> dict[str, Any]:
    """An outcome as clients send it."""
    return {
        "session_id": "run-1",
        "learning_ids": [],
        "propensity_data": {"source": "run_yaml", "run_dir": "/home/alice/shop/.trw/runs/run-1"},
        "rework_rate": 0.25,
        "build_passed": True,
        "tasks_completed": 3,
        "files_changed": 7,
        "idempotency_key": key("full"),
    } | fields


async def test_outcomes_are_stored_and_shown(tenant: Tenant) -> None:
    assert await taken(tenant, full()) == {"inserted": 1, "skipped": 0, "rejected": []}
    page = await listed(tenant)
    assert set(page) == {"items", "total", "page", "page_size", "score"}
    [item] = page["items"]
    assert item.pop("id").startswith("out_")
    assert item.pop("created_at").endswith("Z")
    assert item == {
        "client_id": CLIENT,
        "session_id": "run-1",
        "learning_ids": [],
        "build_passed": True,
        "rework_rate": 0.25,
        "tasks_completed": 3,
        "files_changed": 7,
        "propensity_data": {"source": "run_yaml", "run_dir": "run-1"},
    }


async def test_only_the_last_part_of_the_run_folder_is_kept(
    tenant: Tenant, sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    folders = ["/home/alice/x/run-1", "C:\\Users\\alice\\run-2", "/home/alice/run-3/", "run-4", "/"]
    sent = [
        full(idempotency_key=key(path), propensity_data={"run_dir": path, "more": {"p": path}})
        for path in folders
    ]
    await taken(tenant, *sent)
    rows = await sql.fetch(
        "SELECT propensity_data::text FROM learnings.outcome WHERE org_id = $1", tenant.org
    )
    found = {json.loads(row[0])["run_dir"] for row in rows}
    assert found == {"run-1", "run-2", "run-3", "run-4", ""}
    assert "alice" not in str(rows)


async def test_repeats_are_skipped(tenant: Tenant, stranger: Tenant) -> None:
    first, second = full(idempotency_key=key(1)), full(idempotency_key=key(2).upper())
    assert (await taken(tenant, first, first))["inserted"] == 1
    verdict = await taken(tenant, first, second, full(idempotency_key=key(2)))
    assert (verdict["inserted"], verdict["skipped"]) == (1, 2)
    assert (await taken(tenant, first, second))["skipped"] == 2
    assert (await taken(stranger, first))["inserted"] == 1


async def test_the_same_at_once_is_stored_once(tenant: Tenant) -> None:
    learning = await tenant.record()
    batch = [full(idempotency_key=key(n), learning_ids=[learning["id"]]) for n in range(20)]
    verdicts = await asyncio.gather(
        *(taken(tenant, *(batch if n % 2 else reversed(batch))) for n in range(8))
    )
    assert sum(verdict["inserted"] for verdict in verdicts) == 20
    assert all(verdict["inserted"] + verdict["skipped"] == 20 for verdict in verdicts)
    assert (await score(tenant, learning["id"]))["helped"] == pytest.approx(20 * 0.925)


@pytest.mark.parametrize("missing", ["", None, 5, "short", "g" * 64])
async def test_without_a_key_the_content_is_the_key(tenant: Tenant, missing: Any) -> None:
    assert (await taken(tenant, full(idempotency_key=missing)))["inserted"] == 1
    assert (await taken(tenant, full(idempotency_key=missing)))["skipped"] == 1
    other = full(idempotency_key=missing, session_id="run-2")
    assert (await taken(tenant, other))["inserted"] == 1


async def test_bad_elements_are_listed_and_the_rest_is_stored(tenant: Tenant) -> None:
    bad: list[Any] = [None, 5, "text", [], full(learning_ids="L-1"), full(learning_ids={"a": 1})]
    verdict = await taken(tenant, *bad, full())
    assert (verdict["inserted"], verdict["skipped"]) == (1, 6)
    assert [one["index"] for one in verdict["rejected"]] == [0, 1, 2, 3, 4, 5]
    assert verdict["rejected"][0]["reason"] == "is not an object"
    assert verdict["rejected"][4]["reason"] == "learning_ids is not a list"


DEEP: Any = "x"
for _ in range(150):
    DEEP = [DEEP]

ODD = [
    None,
    True,
    -1,
    1.5,
    10**25,
    float("nan"),
    float("inf"),
    "",
    "text",
    "a\x00b",
    "\ud800",
    "x" * 50_000,
    [],
    {},
    DEEP,
    {"a\x00": {"\udfff": float("nan")}},
    [None, 5, "", " ", "L-1", "L-1", ["L-2"], "\x00", "x" * 1000],
]
FIELDS = [
    *("session_id", "learning_ids", "propensity_data", "rework_rate", "build_passed"),
    *("tasks_completed", "files_changed", "idempotency_key"),
]


@pytest.mark.parametrize("field", FIELDS)
async def test_no_value_fails_a_batch(tenant: Tenant, field: str) -> None:
    sent = [full(idempotency_key=key((field, n))) | {field: odd} for n, odd in enumerate(ODD)]
    verdict = await taken(tenant, *sent, full(idempotency_key=key("good")))
    assert verdict["inserted"] + verdict["skipped"] == len(ODD) + 1
    assert verdict["inserted"] >= 1
    page = await listed(tenant, page_size=200)
    assert any(item["session_id"] == "run-1" for item in page["items"])


@pytest.mark.parametrize("client_id", ODD)
async def test_no_client_id_fails_a_batch(tenant: Tenant, client_id: Any) -> None:
    assert (await taken(tenant, full(), client_id=client_id))["inserted"] == 1


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"5", b"null", b'{"outcomes":null}', b'{"outcomes":{"a":1}}']
)
async def test_a_body_without_a_list_is_refused(tenant: Tenant, body: bytes) -> None:
    answer = await send_raw(tenant, body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "outcomes"]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"outcomes":[1' + b"0"])
async def test_what_is_no_json_is_no_fault_of_ours(tenant: Tenant, body: bytes) -> None:
    answer = await send_raw(tenant, body)
    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("digits", [400, 5000])
async def test_numbers_beyond_reason_fail_nothing(tenant: Tenant, digits: int) -> None:
    body = b'{"outcomes":[{"rework_rate":1%s,"tasks_completed":1%s,"files_changed":1e400}]}'
    answer = await send_raw(tenant, body % (b"0" * digits, b"0" * digits))
    assert (answer.status_code, answer.json()["inserted"]) == (200, 1)
    [item] = (await listed(tenant))["items"]
    assert (item["rework_rate"], item["tasks_completed"], item["files_changed"]) == (None,) * 3


async def test_more_than_a_thousand_are_too_many(tenant: Tenant) -> None:
    answer = await send(tenant, *({} for _ in range(1001)))
    assert answer.status_code == 413
    assert (await taken(tenant, *(full(idempotency_key=key(n)) for n in range(1000))))[
        "inserted"
    ] == 1000


async def test_more_than_fifty_learnings_are_taken(tenant: Tenant) -> None:
    learning = await tenant.record()
    ids = [f"L-{n:04}" for n in range(300)]
    await taken(tenant, full(learning_ids=[*ids, learning["id"]]))
    [item] = (await listed(tenant, learning_id=learning["id"]))["items"]
    assert len(item["learning_ids"]) == 301


async def test_learnings_are_found_by_own_feed_and_server_ids(
    tenant: Tenant, sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    program = key_of(tenant)
    own = await tenant.record(source_learning_id="L-aaaa", source_project=HASH)
    other = await tenant.record(source_learning_id="L-aaaa", source_project="f" * 16)
    keyed = await program.record(source_learning_id="L-kkkk")
    feed_id = await sql.fetchval(
        "SELECT feed_id FROM learnings.learning WHERE org_id = $1 AND id = $2",
        tenant.org,
        other["id"],
    )
    names = {
        "L-aaaa": own["id"],
        feed_id: other["id"],
        f"team-sync-{feed_id}": other["id"],
        other["id"]: other["id"],
        "L-kkkk": keyed["id"],
        "L-none": None,
    }
    for name, found in names.items():
        for learning in (own, other, keyed):
            before = (await listed(tenant, learning_id=learning["id"]))["total"]
            if learning["id"] == found:
                outcome = full(idempotency_key=key(name), learning_ids=[name])
                await taken(program, outcome)
                after = (await listed(tenant, learning_id=learning["id"]))["total"]
                assert after == before + 1, name
    totals = [(await listed(tenant, learning_id=one["id"]))["total"] for one in (own, other, keyed)]
    assert totals == [1, 3, 1]


async def test_two_names_of_one_learning_count_once(tenant: Tenant) -> None:
    learning = await tenant.record(source_learning_id="L-bbbb", source_project=HASH)
    await taken(tenant, full(learning_ids=["L-bbbb", learning["id"]]))
    assert (await listed(tenant, learning_id=learning["id"]))["total"] == 1


async def test_a_duplicates_outcome_counts_for_its_original(tenant: Tenant) -> None:
    text = {"summary": "Said twice", "detail": "by two"}
    first = await tenant.record(source_project="a" * 16, source_learning_id="L-1", **text)
    await tenant.record(source_project=HASH, source_learning_id="L-2", **text)
    await taken(tenant, full(learning_ids=["L-2"]))
    assert (await listed(tenant, learning_id=first["id"]))["total"] == 1


async def test_the_score_follows_the_outcomes(tenant: Tenant) -> None:
    good, bad, unused = [await tenant.record() for _ in range(3)]
    assert await score(tenant, good["id"]) == {"helped": 0, "not_helped": 0, "share": 0.5}
    for number in range(10):
        await taken(tenant, full(idempotency_key=key(number), learning_ids=[good["id"]]))
        failed = full(
            idempotency_key=key(f"bad{number}"),
            learning_ids=[bad["id"]],
            build_passed=False,
            rework_rate=1,
            tasks_completed=0,
        )
        await taken(tenant, failed)
    assert (await score(tenant, good["id"]))["share"] > 0.7
    assert (await score(tenant, bad["id"]))["share"] < 0.3
    assert (await score(tenant, unused["id"]))["share"] == 0.5


async def test_a_strangers_learning_is_neither_scored_nor_shown(
    tenant: Tenant, stranger: Tenant
) -> None:
    learning = await tenant.record()
    await taken(stranger, full(learning_ids=[learning["id"]]))
    assert (await score(tenant, learning["id"]))["share"] == 0.5
    answer = await stranger.send("GET", "/v1/outcomes", params={"learning_id": learning["id"]})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert (await listed(tenant))["items"] == []


async def test_pages(tenant: Tenant) -> None:
    learning = await tenant.record()
    sent = [full(idempotency_key=key(n), learning_ids=[learning["id"]]) for n in range(5)]
    await taken(tenant, *sent)
    for query in ({}, {"learning_id": learning["id"]}):
        pages = [await listed(tenant, page=n, page_size=2, **query) for n in (1, 2, 3)]
        assert [page["total"] for page in pages] == [5, 5, 5]
        assert len({item["id"] for page in pages for item in page["items"]}) == 5


async def test_the_client_is_seen(tenant: Tenant) -> None:
    await taken(key_of(tenant), full(), full(idempotency_key=key(2)))
    [item] = (await tenant.send("GET", "/v1/installations")).json()["items"]
    assert (item["installation_id"], item["client_profile"]) == (HASH, "claude-code")


async def test_scopes(tenant: Tenant) -> None:
    answer = await send(key_of(tenant, "sync:read"), full())
    assert (answer.status_code, answer.json()) == (403, {"detail": "Missing scope: sync:write"})
    answer = await key_of(tenant, "sync:write").send("GET", "/v1/outcomes")
    assert answer.json() == {"detail": "Missing scope: learnings:read"}
