"""Pushing (learnings contract, section 6.2)."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from typing import Any

import asyncpg
import pytest

from tests.services.learnings.conftest import Tenant
from tests.services.learnings.sync_support import Puller, entry, hash_of, push

A, B, C = (f"sync-claude-code-{letter * 16}" for letter in "abc")


def counts(answer: dict[str, Any]) -> tuple[int, int, int, int]:
    return answer["inserted"], answer["updated"], answer["skipped"], answer["errors"]


async def raw_push(tenant: Tenant, body: bytes | str) -> Any:
    content = body.encode() if isinstance(body, str) else body
    headers = {"content-type": "application/json"}
    return await tenant.send("POST", "/v1/sync/learnings", content=content, headers=headers)


async def pulled(tenant: Tenant, client_id: str = C) -> dict[str, dict[str, Any]]:
    puller = Puller(tenant, client_id=client_id)
    await puller.pull_all()
    return puller.rows


async def test_batch_is_stored_and_reaches_a_peer(tenant: Tenant) -> None:
    answer = await push(tenant, entry("L-1"), entry("L-2"), client_id=A)
    assert counts(answer) == (2, 0, 0, 0)
    assert [(one["index"], one["status"]) for one in answer["results"]] == [
        (0, "inserted"),
        (1, "inserted"),
    ]
    rows = await pulled(tenant)
    assert set(rows) == {"L-1", "L-2"}
    assert rows["L-1"]["metadata"]["origin_project"] == "git:" + "1" * 16
    own = await pulled(tenant, A)
    assert own == {}


async def test_resend_is_skipped_and_changes_nothing(tenant: Tenant) -> None:
    batch = [entry(f"L-{number}") for number in range(100)]
    first = await push(tenant, *batch)
    again = await push(tenant, *batch)
    assert counts(again) == (0, 0, 100, 0)
    ids = [[one["id"] for one in answer["results"]] for answer in (first, again)]
    assert ids[0] == ids[1]


async def test_idempotency_key_gives_the_first_verdict_again(tenant: Tenant) -> None:
    """Section 2: without one the resend is ``skipped``, with one it is answered as before."""
    headers = {"idempotency-key": "push-1"}
    body = {"entries": [entry("L-1")], "client_id": A, "push_seq": 1}
    first, again = [
        await tenant.send("POST", "/v1/sync/learnings", json=body, headers=headers)
        for _ in range(2)
    ]
    assert counts(first.json()) == (1, 0, 0, 0)
    assert again.content == first.content
    other = body | {"push_seq": 2}
    answer = await tenant.send("POST", "/v1/sync/learnings", json=other, headers=headers)
    assert answer.status_code == 422


async def test_edit_of_one_client_appears_on_another(tenant: Tenant) -> None:
    """Section 8.2: pushed again with the same clock, shown with a higher one of ours."""
    node = sha256(tenant.org.encode()).hexdigest()[:16]
    await push(tenant, entry("L-1", vector_clock={"peer": 1}), client_id=A)
    peer = Puller(tenant, client_id=B)
    await peer.pull_all()
    assert peer.rows["L-1"]["vector_clock"] == {"peer": 1, node: 1}
    edited = entry("L-1", vector_clock={"peer": 1}, summary="Edited", sync_hash=hash_of("new"))
    assert counts(await push(tenant, edited, client_id=A)) == (0, 1, 0, 0)
    await peer.pull_all()
    assert peer.rows["L-1"]["summary"] == "Edited"
    assert peer.rows["L-1"]["vector_clock"] == {"peer": 1, node: 2}


async def test_our_own_node_is_taken_out_of_a_pushed_clock(tenant: Tenant) -> None:
    node = sha256(tenant.org.encode()).hexdigest()[:16]
    await push(tenant, entry("L-1", vector_clock={"peer": 1, node: 7}), client_id=A)
    rows = await pulled(tenant)
    assert rows["L-1"]["vector_clock"] == {"peer": 1, node: 7}


async def test_same_local_id_of_two_installations_reaches_a_third_twice(tenant: Tenant) -> None:
    await push(tenant, entry("L-1", summary="of a", detail="a"), client_id=A)
    await push(tenant, entry("L-1", summary="of b", detail="b"), client_id=B)
    rows = await pulled(tenant, C)
    suffix = sha256(b"b" * 16).hexdigest()[:8]
    assert {name: row["summary"] for name, row in rows.items()} == {
        "L-1": "of a",
        f"L-1-{suffix}": "of b",
    }
    assert len(await pulled(tenant, A)) == len(await pulled(tenant, B)) == 1


async def test_older_write_than_the_last_is_stale(tenant: Tenant) -> None:
    await push(tenant, entry("L-1", sync_seq=5))
    old = await push(tenant, entry("L-1", sync_seq=4, summary="old", sync_hash=hash_of("old")))
    assert counts(old) == (0, 0, 1, 0)
    assert old["results"][0]["reason"] == "stale"
    new = await push(tenant, entry("L-1", sync_seq=6, summary="new", sync_hash=hash_of("new")))
    assert counts(new) == (0, 1, 0, 0)


async def test_canaries_are_skipped_and_reach_nobody(tenant: Tenant) -> None:
    answer = await push(
        tenant,
        entry("canary-001", detail=None),
        entry("L-9", metadata={"system_canary": "true"}),
        entry("L-8", metadata={"system_canary": True}),
        entry("L-1"),
    )
    assert counts(answer) == (1, 0, 3, 0)
    assert [one.get("reason") for one in answer["results"]] == ["canary"] * 3 + [None]
    assert set(await pulled(tenant)) == {"L-1"}


async def test_retired_learning_travels_as_obsolete(tenant: Tenant) -> None:
    await push(tenant, entry("L-1"), client_id=A)
    peer = Puller(tenant, client_id=B)
    await peer.pull_all()
    gone = entry("L-1", status="obsolete", sync_hash=hash_of("gone"))
    await push(tenant, gone, client_id=A)
    await peer.pull_all()
    assert peer.rows["L-1"]["status"] == "obsolete"


async def test_one_bad_entry_is_named_and_nothing_applied(tenant: Tenant) -> None:
    batch = [entry("L-1"), entry(" "), entry("L-3")]
    answer = await push(tenant, *batch, status=422)
    assert [fault["loc"] for fault in answer["detail"]] == [
        ["body", "entries", 1, "source_learning_id"]
    ]
    assert answer["detail"][0]["msg"]
    assert await pulled(tenant) == {}
    # The client sets exactly that entry aside and sends the rest.
    rest = [batch[0], batch[2]]
    assert counts(await push(tenant, *rest)) == (2, 0, 0, 0)


UNUSABLE: list[Any] = [
    None,
    7,
    "text",
    [],
    {},
    {"summary": "no id"},
    entry(""),
    entry("\x00"),
    {"source_learning_id": None, "summary": "s"},
    {"source_learning_id": [], "summary": "s"},
    {"source_learning_id": 10**30, "summary": "s"},
    {"source_learning_id": True, "summary": "s"},
    {"source_learning_id": 1.5, "summary": "s"},
    entry("x" * 201),
    entry("L-1", summary=["a"]),
    entry("L-1", detail={"a": 1}),
]


async def test_every_unusable_entry_is_named_at_once(tenant: Tenant) -> None:
    batch = [one for bad in UNUSABLE for one in (entry(f"L-{id(bad)}"), bad)]
    answer = await push(tenant, *batch, status=422)
    named = [fault["loc"] for fault in answer["detail"]]
    assert all(loc[:2] == ["body", "entries"] and len(loc) == 4 for loc in named)
    assert [loc[2] for loc in named] == list(range(1, len(batch), 2))
    assert await pulled(tenant) == {}


REPAIRED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"detail": None}, {"detail": ""}),
    ({"detail": 7}, {"detail": "7"}),
    ({"summary": None}, {"summary": "The details of L-1"}),
    ({"summary": " ", "detail": None}, {"summary": "(no summary)"}),
    ({"summary": 5.5}, {"summary": "5.5"}),
    ({"summary": True}, {"summary": "true"}),
    ({"summary": "x" * 70_000}, {"summary": "x" * 65_536}),
    ({"summary": "nul\x00s"}, {"summary": "nuls"}),
    ({"impact": 3}, {"impact": 1.0}),
    ({"impact": -0.1}, {"impact": 0.0}),
    ({"impact": None}, {"impact": 0.5}),
    ({"impact": "0.25"}, {"impact": 0.25}),
    ({"impact": "high"}, {"impact": 0.5}),
    ({"impact": "nan"}, {"impact": 0.5}),
    ({"impact": "inf"}, {"impact": 1.0}),
    ({"impact": True}, {"impact": 0.5}),
    ({"impact": [1]}, {"impact": 0.5}),
    ({"impact": 10**400}, {"impact": 1.0}),
    ({"tags": None}, {"tags": []}),
    ({"tags": "one"}, {"tags": []}),
    ({"tags": ["a", 7, None, " a ", "", "b\x00"]}, {"tags": ["a", "b"]}),
    ({"tags": ["x" * 300]}, {"tags": ["x" * 200]}),
    ({"tags": [str(n) for n in range(300)]}, {"tags": [str(n) for n in range(200)]}),
    ({"status": "unheard"}, {"status": "active"}),
    ({"status": None}, {"status": "active"}),
    ({"status": {}}, {"status": "active"}),
    ({"type": "brand-new"}, {"type": "brand-new"}),
    ({"type": None}, {"type": "pattern"}),
    ({"type": 7}, {"type": "pattern"}),
    ({"metadata": None}, {"metadata": {}}),
    ({"metadata": []}, {"metadata": {}}),
    (
        {"metadata": {"a": 1, "b": None, "c": [True], "d": {"e": "\x00"}}},
        {"metadata": {"a": "1", "c": "[true]", "d": '{"e":""}'}},
    ),
    ({"sync_hash": None}, {}),
    ({"sync_hash": "ABC"}, {}),
    ({"sync_hash": 7}, {}),
    ({"sync_seq": "7"}, {}),
    ({"sync_seq": 10**30}, {}),
    ({"sync_seq": -1}, {}),
    ({"confidence": "high", "anchors": [1, 2, 3, 4]}, {"confidence": "high"}),
    ({"unknown": {"deep": [[[[]]]]}}, {}),
]


@pytest.mark.parametrize(("sent", "kept"), REPAIRED)
async def test_what_can_be_repaired_is(
    tenant: Tenant, sent: dict[str, Any], kept: dict[str, Any]
) -> None:
    answer = await push(tenant, entry("L-1") | sent)
    assert counts(answer) == (1, 0, 0, 0)
    row = (await pulled(tenant))["L-1"]
    assert {name: row[name] for name in kept} == kept
    assert all(isinstance(value, str) for value in row["metadata"].values())


async def test_repaired_status_is_noted(tenant: Tenant) -> None:
    answer = await push(tenant, entry("L-1", status="unheard"))
    assert answer["results"][0]["reason"] == "the status is unknown, stored as active"


@pytest.mark.parametrize(
    ("clock", "kept"),
    [
        (None, {}),
        ("x", {}),
        ({"p": 1, "q": "2", "r": -1, "s": 1.5, "t": 2**63, "u": True}, {"p": 1}),
    ],
)
async def test_unusable_counters_are_dropped(
    tenant: Tenant, clock: Any, kept: dict[str, int]
) -> None:
    await push(tenant, entry("L-1", vector_clock=clock))
    node = sha256(tenant.org.encode()).hexdigest()[:16]
    assert (await pulled(tenant))["L-1"]["vector_clock"] == kept | {node: 1}


async def test_new_type_missing_hash_and_many_ids_hold_up_nothing(tenant: Tenant) -> None:
    """Section 8.1."""
    without_hash = entry("L-2", learning_ids=[f"L-{n}" for n in range(80)])
    del without_hash["sync_hash"]
    batch = [entry("L-1", type="never-seen"), without_hash, entry("L-3")]
    assert counts(await push(tenant, *batch)) == (3, 0, 0, 0)
    assert counts(await push(tenant, *batch)) == (0, 0, 3, 0)


async def test_json_that_strict_readers_refuse_is_read(tenant: Tenant) -> None:
    bad = json.dumps(entry("L-1") | {"impact": 0.25, "summary": "@"})
    for number, (old, new) in enumerate(
        [('"@"', '"\\ud800half"'), ("0.25", "NaN"), ("0.25", "1e999"), ('"@"', '"\\udc00\\ud83d"')]
    ):
        text = bad.replace(old, new).replace("L-1", f"L-{number}")
        answer = await raw_push(tenant, f'{{"entries":[{text}],"client_id":"{A}"}}')
        assert answer.status_code == 200, answer.text
        assert counts(answer.json()) == (1, 0, 0, 0)
    assert len(await pulled(tenant)) == 4


@pytest.mark.parametrize("field", ["metadata", "assertions", "something"])
async def test_deep_json_of_one_entry_holds_up_nothing(tenant: Tenant, field: str) -> None:
    deep = json.dumps(entry("L-1") | {field: {"a": "@"} if field == "metadata" else ["@"]})
    text = deep.replace('"@"', "[" * 900 + "]" * 900)
    answer = await raw_push(tenant, f'{{"entries":[{text},{json.dumps(entry("L-2"))}]}}')
    assert answer.status_code == 200, answer.text
    assert counts(answer.json()) == (2, 0, 0, 0)
    assert set(await pulled(tenant)) == {"L-1", "L-2"}


@pytest.mark.parametrize(
    ("body", "status", "loc"),
    [
        ("{", 400, None),
        ("\xff\xfe", 400, None),
        ("[" * 100_000, 400, None),
        ("", 422, ["body", "entries"]),
        ("[]", 422, ["body"]),
        ("null", 422, ["body"]),
        ("{}", 422, ["body", "entries"]),
        ('{"entries":{}}', 422, ["body", "entries"]),
        ('{"entries":null}', 422, ["body", "entries"]),
        ('{"entries":[' + "7" * 5000 + "]}", 422, ["body", "entries", 0, "source_learning_id"]),
        ('{"entries":[' + "[" * 150 + "]" * 150 + "]}", 422, None),
    ],
)
async def test_bad_body_is_refused(
    tenant: Tenant, body: str, status: int, loc: list[Any] | None
) -> None:
    answer = await raw_push(tenant, body.encode("latin-1"))
    assert answer.status_code == status, answer.text
    if loc is not None:
        assert [fault["loc"] for fault in answer.json()["detail"]] == [loc]


async def test_five_hundred_entries_are_accepted_and_one_more_is_422(tenant: Tenant) -> None:
    batch = [entry(f"L-{number}") for number in range(501)]
    answer = await push(tenant, *batch, status=422)
    assert [fault["loc"] for fault in answer["detail"]] == [["body", "entries"]]
    answer = await push(tenant, *batch[:500])
    assert counts(answer) == (500, 0, 0, 0)
    puller = Puller(tenant, client_id=C)
    await puller.pull_all()
    assert len(puller.rows) == 500
    assert puller.seen == sorted(puller.seen)


async def test_empty_batch_counts_nothing(tenant: Tenant) -> None:
    assert counts(await push(tenant)) == (0, 0, 0, 0)


@pytest.mark.parametrize("client_id", [None, 7, "", " ", "\x00", "x" * 1000, "ü", [], "unknown"])
async def test_any_client_id_will_do(tenant: Tenant, client_id: Any) -> None:
    first = await push(tenant, entry("L-1"), client_id=client_id, push_seq="x")
    again = await push(tenant, entry("L-1"), client_id=client_id, push_seq=None)
    assert (counts(first), counts(again)) == ((1, 0, 0, 0), (0, 0, 1, 0))


async def test_same_id_twice_in_one_batch(tenant: Tenant) -> None:
    first, second = entry("L-1"), entry("L-1", summary="later", sync_hash=hash_of("later"))
    answer = await push(tenant, first, second, second)
    assert sum(counts(answer)) == 3
    assert (await pulled(tenant))["L-1"]["summary"] == "later"


async def test_parallel_pushes_of_the_same_batch_store_it_once(tenant: Tenant) -> None:
    batch = [entry(f"L-{number}") for number in range(20)]
    answers = await asyncio.gather(*(push(tenant, *batch) for _ in range(8)))
    assert sum(answer["inserted"] for answer in answers) == 20
    assert sum(answer["skipped"] for answer in answers) == 140
    assert len(await pulled(tenant)) == 20


async def test_nothing_readable_remains_of_what_is_secret(
    tenant: Tenant, sql: asyncpg.Connection[Any]
) -> None:
    """Section 8.12: also on the way of a push."""
    secret = "mail ada@example.com about /home/ada/work/secret.py"
    pushed = entry("L-1", summary=secret, detail=secret, metadata={"note": secret})
    await push(tenant, pushed)
    row = (await pulled(tenant))["L-1"]
    assert "example.com" not in json.dumps(row)
    assert "/home" not in json.dumps(row)
    assert row["metadata"]["redacted"] == "true"
    stored = await sql.fetchval(
        "SELECT string_agg(l::text, '') FROM learnings.learning AS l WHERE org_id = $1", tenant.org
    )
    assert "example.com" not in stored
    assert "/home" not in stored
    assert counts(await push(tenant, pushed)) == (0, 0, 1, 0)


async def test_push_notes_the_installation(tenant: Tenant) -> None:
    await push(tenant, entry("L-1"), client_id=A)
    async with asyncio.timeout(10):
        while True:
            page = (await tenant.send("GET", "/v1/installations")).json()
            if page["items"]:
                break
            await asyncio.sleep(0.02)
    assert page["items"][0]["installation_id"] == "a" * 16


async def test_other_organizations_learnings_are_not_touched(
    tenant: Tenant, stranger: Tenant
) -> None:
    await push(tenant, entry("L-1"), client_id=A)
    theirs = entry("L-1", summary="theirs", sync_hash=hash_of("theirs"))
    assert counts(await push(stranger, theirs, client_id=A)) == (1, 0, 0, 0)
    assert (await pulled(tenant))["L-1"]["summary"] == "What L-1 taught"
