"""Pushes: what is known again, what is stale, what is nobody's (learnings contract, 6.1, 6.2)."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from services.learnings.learnings.models import Author
from services.learnings.learnings.operations import origin_of_client, record_batch
from shared.db import Database
from shared.principal import Kind, Principal
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.recording_support import (
    NODE,
    OTHER,
    Pusher,
    Sql,
    assert_sound,
    entry,
    pushing,
    rows_of,
    said_of,
)
from tests.support.postgres import DatabaseUrls

HASHES = ["a" * 64, "b" * 64, "c" * 64]


@pytest.fixture(scope="module")
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    async with pushing(urls) as database:
        yield database


@pytest.fixture
def key(tenant: Tenant) -> Tenant:
    """The organization again, by a key of its own."""
    name = "key_" + tenant.org
    own = Principal(Kind.API_KEY, name, tenant.org, "member", ("*",), name, "usr_one")
    return Tenant(tenant.client, own)


@pytest.fixture
def pusher(database: Database, key: Tenant) -> Pusher:
    return Pusher(database, Author(key.org, key.principal.subject, "usr_one"))


async def test_a_resent_batch_is_skipped_whole(tenant: Tenant, pusher: Pusher, sql: Sql) -> None:
    batch = [entry(f"learning {n} of many", source_id=f"L-{n}") for n in range(12)]
    first = await pusher.push(*batch)
    assert {verdict.status for verdict in first} == {"inserted"}
    stored, said = await rows_of(sql, tenant.org), await said_of(sql, tenant.org)
    again = await pusher.push(*batch)
    assert {(v.status, v.reason) for v in again} == {("skipped", "unchanged")}
    assert [v.id for v in again] == [v.id for v in first]
    assert await rows_of(sql, tenant.org) == stored
    assert await said_of(sql, tenant.org) == said
    assert [row["sync_seq"] for row in stored.values()] == list(range(1, 13))
    created = [row["created_at"] for row in stored.values()]
    assert created == sorted(set(created))
    await assert_sound(sql, tenant.org)


async def test_the_writers_hash_decides(tenant: Tenant, pusher: Pusher, sql: Sql) -> None:
    made = await pusher.one("text", source_id="L-1", sync_hash=HASHES[0])
    assert (await pusher.one("other", source_id="L-1", sync_hash=HASHES[0])).status == "skipped"
    verdict = await pusher.one("text", source_id="L-1", sync_hash=HASHES[1], tags=["t"])
    assert (verdict.status, verdict.id) == ("updated", made.id)
    row = (await rows_of(sql, tenant.org))[made.id or ""]
    assert (row["summary"], row["tags"], row["version"]) == ("text", ["t"], 2)
    assert row["sync_hash"] == HASHES[1]
    assert row["server_clock"] == 2
    assert [event[0] for event in await said_of(sql, tenant.org)] == ["recorded", "changed"]


async def test_redaction_makes_no_endless_updates(tenant: Tenant, pusher: Pusher, sql: Sql) -> None:
    sent = entry(
        "mail ada@example.org",
        source_id="L-1",
        detail="see /home/ada/secrets.txt",
        metadata={"note": "call bob@example.org", "provenance_author": "ada@example.org"},
        tags=["ada@example.org"],
        extra={"anchors": [{"file": "/home/ada/x.py"}]},
    )
    made = await pusher.push(sent)
    assert (await pusher.push(sent))[0].reason == "unchanged"
    row = (await rows_of(sql, tenant.org))[made[0].id or ""]
    stored = str({name: value for name, value in row.items() if name != "metadata"})
    # As a word: ids of chance may have these letters in them.
    assert not re.search(r"\bada\b", stored)
    assert row["metadata"] == {
        "note": "call <email>",
        "provenance_author": "ada@example.org",
        "redacted": "true",
    }
    assert row["summary"] == "mail <email>"


async def test_an_older_write_of_the_client_is_stale(
    tenant: Tenant, pusher: Pusher, sql: Sql
) -> None:
    async def push(text: str, client_seq: int | None) -> tuple[str, str | None]:
        verdict = await pusher.one(text, source_id="L-1", client_seq=client_seq)
        return verdict.status, verdict.reason

    assert await push("one", 5) == ("inserted", None)
    assert await push("two", 4) == ("skipped", "stale")
    assert await push("three", 5) == ("updated", None)
    assert await push("four", None) == ("updated", None)
    assert await push("five", 4) == ("skipped", "stale")
    assert await push("six", 6) == ("updated", None)
    (row,) = (await rows_of(sql, tenant.org)).values()
    assert (row["summary"], row["client_seq"]) == ("six", 6)


async def test_an_id_may_come_twice_in_a_batch(tenant: Tenant, pusher: Pusher, sql: Sql) -> None:
    verdicts = await pusher.push(
        entry("draft", source_id="L-1"),
        entry("draft", source_id="L-1"),
        entry("final", source_id="L-1"),
    )
    assert [verdict.status for verdict in verdicts] == ["inserted", "skipped", "updated"]
    (row,) = (await rows_of(sql, tenant.org)).values()
    assert row["summary"] == "final"
    assert len({verdict.id for verdict in verdicts}) == 1
    assert [event[0] for event in await said_of(sql, tenant.org)] == ["recorded"]
    await assert_sound(sql, tenant.org)


async def test_canaries_are_stored_nowhere(tenant: Tenant, pusher: Pusher, sql: Sql) -> None:
    verdicts = await pusher.push(
        entry("probe", source_id="canary-001"),
        entry("real", source_id="L-1"),
        entry("probe", source_id="L-2", metadata={"system_canary": "true"}),
    )
    assert [(v.status, v.reason) for v in verdicts] == [
        ("skipped", "canary"),
        ("inserted", None),
        ("skipped", "canary"),
    ]
    assert [row["summary"] for row in (await rows_of(sql, tenant.org)).values()] == ["real"]
    assert (await pusher.one("probe", source_id="canary-7")).reason == "canary"
    answer = await tenant.send(
        "POST", "/v1/learnings", json={"summary": "probe", "source_learning_id": "canary-9"}
    )
    assert answer.status_code == 201
    real = await tenant.record(summary="one more")
    assert set(answer.json()) == set(real)
    gone = await tenant.send("GET", f"/v1/learnings/{answer.json()['id']}")
    assert gone.status_code == 404
    assert (await tenant.page(include_duplicates=True))["total"] == 2


async def test_feed_ids_are_unique_and_stay(tenant: Tenant, pusher: Pusher, sql: Sql) -> None:
    tail = hashlib.sha256(OTHER.encode()).hexdigest()[:8]
    # Somebody holds already what the second writer's would be made unique with.
    first = await pusher.one("one", source_id=f"L-ab12-{tail}", origin="9" * 16)
    second = await pusher.one("two", source_id="L-ab12")
    third = await pusher.one("three", source_id="L-ab12", origin=OTHER)
    fourth = await pusher.one("four", source_id="L-ab12", origin="7" * 16)
    rows = await rows_of(sql, tenant.org)
    names = [rows[verdict.id or ""]["feed_id"] for verdict in (first, second, third, fourth)]
    sevenths = hashlib.sha256(("7" * 16).encode()).hexdigest()[:8]
    assert names == [f"L-ab12-{tail}", "L-ab12", third.id, f"L-ab12-{sevenths}"]
    await pusher.one("two, edited", source_id="L-ab12")
    assert (await rows_of(sql, tenant.org))[second.id or ""]["feed_id"] == "L-ab12"


async def test_clocks_carry_our_own_node(tenant: Tenant, pusher: Pusher) -> None:
    node = hashlib.sha256(tenant.org.encode()).hexdigest()[:16]

    async def clock(learning_id: str | None) -> dict[str, int]:
        shown = await tenant.send("GET", f"/v1/learnings/{learning_id}")
        read: dict[str, int] = shown.json()["vector_clock"]
        return read

    made = await pusher.one("one", source_id="L-1", vector_clock={"peer": 1})
    assert await clock(made.id) == {"peer": 1, node: 1}
    await pusher.one("two", source_id="L-1", vector_clock={"peer": 1})
    assert await clock(made.id) == {"peer": 1, node: 2}
    await pusher.one("three", source_id="L-1", vector_clock={"peer": 2, node: 7})
    assert await clock(made.id) == {"peer": 2, node: 8}
    await tenant.send("PATCH", f"/v1/learnings/{made.id}", json={"impact": 0.9})
    assert await clock(made.id) == {"peer": 2, node: 9}
    await pusher.one("four", source_id="L-1", vector_clock={node: 2**63 - 1})
    assert await clock(made.id) == {node: 10}
    other = await pusher.one("five", source_id="L-2", vector_clock={node: 3})
    assert await clock(other.id) == {node: 3}


@pytest.mark.parametrize("posted_first", [True, False])
async def test_a_key_and_its_installation_write_one_learning(
    key: Tenant, pusher: Pusher, sql: Sql, posted_first: bool
) -> None:
    """The publisher sends under the key, the sync loop under the installation (section 6.2)."""

    async def post(text: str) -> Any:
        body = {"summary": text, "source_learning_id": "L-ab12"}
        return (await key.send("POST", "/v1/learnings", json=body)).json()["id"]

    if posted_first:
        made = await post("Retry with backoff")
        pushed = await pusher.one("Retry with a backoff", source_id="L-ab12")
        assert (pushed.status, pushed.id) == ("updated", made)
    else:
        pushed = await pusher.one("Retry with backoff", source_id="L-ab12")
        assert await post("Retry with a backoff") == pushed.id
    row = (await rows_of(sql, key.org))[pushed.id or ""]
    assert row["origin"] == NODE
    assert await post("Retry with some backoff") == pushed.id
    assert (await pusher.one("Retry with full backoff", source_id="L-ab12")).id == pushed.id
    assert len(await rows_of(sql, key.org)) == 1
    assert await post("Something else entirely: zebra") != pushed.id
    await assert_sound(sql, key.org)


async def test_an_id_that_two_installations_of_a_key_pushed_is_no_match(
    key: Tenant, pusher: Pusher, sql: Sql
) -> None:
    await pusher.one("Retry with backoff one", source_id="L-ab12")
    await pusher.one("Retry with backoff two", source_id="L-ab12", origin=OTHER)
    await key.record(summary="Retry with backoff three", source_learning_id="L-ab12")
    assert len(await rows_of(sql, key.org)) == 3


async def test_another_keys_learning_is_no_match(tenant: Tenant, pusher: Pusher, sql: Sql) -> None:
    await tenant.record(summary="Retry with backoff one", source_learning_id="L-ab12")
    await pusher.one("Retry with backoff one more", source_id="L-ab12")
    assert len(await rows_of(sql, tenant.org)) == 2


@pytest.mark.parametrize(
    ("client_id", "origin"),
    [
        ("sync-claude-code-0123456789abcdef", "0123456789abcdef"),
        ("0123456789abcdef", "0123456789abcdef"),
        ("sync-cli-0123456789ABCDEF", "sync-cli-0123456789ABCDEF"),
        ("sync-cli-00123456789abcdef", "sync-cli-00123456789abcdef"),
        ("laptop", "laptop"),
        ("", ""),
    ],
)
def test_the_origin_of_a_push(client_id: str, origin: str) -> None:
    assert origin_of_client(client_id) == origin


async def test_many_pushes_at_once_lose_nothing(tenant: Tenant, pusher: Pusher, sql: Sql) -> None:
    async def push(writer: int) -> None:
        for part in range(3):
            await pusher.push(
                *(
                    entry(
                        f"by {writer} number {part}.{n}", origin=f"{writer:016d}", source_id=f"{n}"
                    )
                    for n in range(part, part + 4)
                )
            )

    await asyncio.gather(*(push(writer) for writer in range(5)))
    rows = await rows_of(sql, tenant.org)
    assert len(rows) == 5 * 6
    assert len({row["feed_id"] for row in rows.values()}) == len(rows)
    await assert_sound(sql, tenant.org)


async def test_a_key_records_no_more_than_its_quota(key: Tenant, pusher: Pusher, sql: Sql) -> None:
    await sql.execute(
        "INSERT INTO learnings.key_policy (org_id, key_id, quota) VALUES ($1, $2, 3)",
        key.org,
        pusher.author.subject,
    )
    verdicts = await pusher.push(*(entry(f"number {n}", source_id=f"{n}") for n in range(5)))
    reasons = [(verdict.status, verdict.reason) for verdict in verdicts]
    assert reasons == [("inserted", None)] * 3 + [("skipped", "quota")] * 2
    assert (await pusher.one("edited", source_id="0")).status == "updated"
    refused = await key.send("POST", "/v1/learnings", json={"summary": "one more"})
    assert refused.status_code == 403
    assert "as many learnings" in refused.json()["detail"]
    assert len(await rows_of(sql, key.org)) == 3


async def test_the_usual_quota_holds_for_keys_without_their_own(
    key: Tenant, pusher: Pusher, tenant: Tenant
) -> None:
    await key.record()
    verdicts = await pusher.push(entry("a"), entry("b"), entry("c"), key_quota=3)
    assert [verdict.reason for verdict in verdicts] == [None, None, "quota"]
    person = Pusher(pusher.database, replace(pusher.author, subject="usr_one"))
    verdicts = await person.push(entry("d"), entry("e"), entry("f"), entry("g"), key_quota=3)
    assert [verdict.reason for verdict in verdicts] == [None] * 4


async def test_a_large_batch_takes_no_more_queries_than_a_small_one(
    tenant: Tenant, pusher: Pusher, sql: Sql
) -> None:
    async def queries(count: int, text: str) -> int:
        asked: list[str] = []
        batch = [entry(f"{text} number {n}", source_id=f"L-{count}-{n}") for n in range(count)]
        async with pusher.database.transaction() as connection:
            with connection.query_logger(lambda record: asked.append(record.query)):
                await record_batch(connection, pusher.author, batch)
        return len(asked)

    await queries(1, "warm")
    for text in ("first", "second"):
        few = await queries(2, text)
        assert await queries(120, text) <= few
    await assert_sound(sql, tenant.org)
    assert len(await rows_of(sql, tenant.org)) == 123
