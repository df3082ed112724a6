"""Equal texts: one learning stands for all (learnings contract, section 6.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.learnings.learnings.models import Author
from shared.db import Database
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.recording_support import (
    Pusher,
    Sql,
    assert_sound,
    entry,
    pushing,
    rows_of,
    said_of,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import person


@pytest.fixture(scope="module")
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    async with pushing(urls) as database:
        yield database


@pytest.fixture
def pusher(database: Database, tenant: Tenant) -> Pusher:
    return Pusher(database, Author(tenant.org, "key_push", "usr_push"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Use WAL mode!", "  use   wal\n mode "),
        ("Straße: ﬁne", "STRASSE FINE"),
        ("„Zitat“ \N{EN DASH} so", "Zitat so"),
        ("über", "über"),
    ],
)
async def test_the_same_text_of_another_writer_is_a_duplicate(
    tenant: Tenant, sql: Sql, one: str, other: str
) -> None:
    made = await tenant.record(summary=one, tags=["a"], source_project="f" * 16)
    again = await tenant.record(summary=other, tags=["b", "a"], source_project="e" * 16)
    assert again["id"] != made["id"]
    assert again["duplicate_of"] == made["id"]
    assert again["tags"] == ["b", "a"]
    shown = await tenant.page()
    assert [item["id"] for item in shown["items"]] == [made["id"]]
    assert shown["total"] == 1
    united = shown["items"][0]
    assert united["tags"] == ["a", "b"]
    assert united["sync_seq"] > again["sync_seq"]
    assert list(united["vector_clock"].values()) == [2]
    both = await tenant.page(include_duplicates=True)
    assert [item["id"] for item in both["items"]] == [again["id"], made["id"]]
    assert both["total"] == 2
    assert await said_of(sql, tenant.org) == [
        ("recorded", made["id"], 1),
        ("changed", made["id"], 2),
    ]
    rows = await rows_of(sql, tenant.org)
    assert (rows[made["id"]]["served"], rows[again["id"]]["served"]) == (True, False)
    await assert_sound(sql, tenant.org)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("wait 1.5 s", "wait 15 s"),
        ("exits with -1", "exits with 1"),
        ("a > b", "a < b"),
        ("???", "!!!"),
        ("x", "y"),
    ],
)
async def test_another_text_is_another_learning(tenant: Tenant, one: str, other: str) -> None:
    await tenant.record(summary=one)
    made = await tenant.record(summary=other)
    assert made["duplicate_of"] is None
    assert (await tenant.page())["total"] == 2


async def test_the_detail_counts(tenant: Tenant) -> None:
    await tenant.record(summary="s", detail="one")
    made = await tenant.record(summary="s", detail="two")
    assert made["duplicate_of"] is None


async def test_the_same_writer_may_say_it_twice(tenant: Tenant, pusher: Pusher, sql: Sql) -> None:
    first, second = await pusher.push(
        entry("same", source_id="L-1"), entry("same", source_id="L-2", tags=["t"])
    )
    assert (first.status, second.status) == ("inserted", "inserted")
    rows = await rows_of(sql, tenant.org)
    assert rows[second.id or ""]["duplicate_of"] == first.id
    assert rows[first.id or ""]["tags"] == ["t"]
    assert await said_of(sql, tenant.org) == [("recorded", first.id, 1)]
    await assert_sound(sql, tenant.org)


@pytest.mark.parametrize("way", ["patch", "delete", "push", "text"])
async def test_the_oldest_duplicate_takes_the_place(
    tenant: Tenant, pusher: Pusher, sql: Sql, way: str
) -> None:
    first, second, third = [
        (await pusher.one("same", origin=f"{n}" * 16, source_id="L-1", tags=[f"t{n}"])).id or ""
        for n in range(3)
    ]
    before = (await rows_of(sql, tenant.org))[second]
    if way == "patch":
        answer = await tenant.send("PATCH", f"/v1/learnings/{first}", json={"status": "obsolete"})
        assert answer.status_code == 200
    elif way == "delete":
        answer = await tenant.send("DELETE", f"/v1/learnings/{first}")
        assert answer.status_code == 204
    elif way == "push":
        await pusher.one("same", origin="0" * 16, source_id="L-1", status="archived")
    else:
        await pusher.one("another", origin="0" * 16, source_id="L-1")
    rows = await rows_of(sql, tenant.org)
    assert rows[second]["duplicate_of"] is None
    assert rows[second]["served"]
    assert rows[second]["sync_seq"] > before["sync_seq"]
    assert rows[second]["created_at"] == before["created_at"]
    assert set(rows[second]["tags"]) == {"t0", "t1", "t2"}
    assert rows[third]["duplicate_of"] == second
    assert rows[first]["duplicate_of"] is None
    shown = [first, second] if way == "text" else [second, first]
    assert set(await tenant.ids()) == set(shown)
    ended = ("changed" if way == "text" else "retired", first)
    said = [event[:2] for event in await said_of(sql, tenant.org)]
    assert sorted(said[-2:]) == sorted([ended, ("recorded", second)])
    await assert_sound(sql, tenant.org)


async def test_a_revived_learning_follows_what_took_its_place(
    tenant: Tenant, pusher: Pusher, sql: Sql
) -> None:
    first, second = [
        (await pusher.one("same", origin=f"{n}" * 16, source_id="L-1")).id or "" for n in range(2)
    ]
    for status in ("obsolete", "active"):
        await tenant.send("PATCH", f"/v1/learnings/{first}", json={"status": status})
    rows = await rows_of(sql, tenant.org)
    assert rows[first]["duplicate_of"] == second
    assert rows[first]["served"], "clients that have it must be told that it ended"
    said = [event[:2] for event in await said_of(sql, tenant.org)]
    assert said[-1] == ("retired", first)
    await assert_sound(sql, tenant.org)


async def test_texts_may_be_swapped_at_once(tenant: Tenant, pusher: Pusher, sql: Sql) -> None:
    await pusher.push(entry("one", source_id="L-1"), entry("two", source_id="L-2"))
    verdicts = await pusher.push(entry("two", source_id="L-1"), entry("one", source_id="L-2"))
    assert [verdict.status for verdict in verdicts] == ["updated", "updated"]
    await assert_sound(sql, tenant.org)


async def test_equal_texts_at_once_leave_one_standing(
    tenant: Tenant, pusher: Pusher, sql: Sql
) -> None:
    async def post(number: int) -> dict[str, Any]:
        return await tenant.record(summary="race", source_project=f"{number:016x}")

    pushes = (pusher.one("race", origin=f"{n:016d}", source_id="L-9") for n in range(20, 26))
    await asyncio.gather(*(post(number) for number in range(10)), *pushes)
    rows = await rows_of(sql, tenant.org)
    assert len(rows) == 16
    assert sum(row["duplicate_of"] is None for row in rows.values()) == 1
    await assert_sound(sql, tenant.org)


@dataclass
class Said:
    """A learning as the plain model has it."""

    text: str
    tags: set[str]
    live: bool
    duplicate_of: Said | None = None
    name: str = ""

    def __hash__(self) -> int:
        return id(self)


@dataclass
class Plain:
    """What the service should come to, with a list and loops."""

    said: list[Said] = field(default_factory=list)

    def standing(self, text: str) -> Said | None:
        return next(
            (s for s in self.said if s.text == text and s.live and s.duplicate_of is None), None
        )

    def write(self, one: Said, text: str, tags: set[str], *, live: bool) -> None:
        stood = one in self.said and self.standing(one.text) is one
        old_text, old_tags, known = one.text, one.tags, one in self.said
        one.text, one.tags, one.live = text, set(tags), live
        if not known:
            self.said.append(one)
        if stood and not (live and text == old_text):
            heirs = [s for s in self.said if s.duplicate_of is one and s.live]
            if heirs:
                heirs[0].duplicate_of = None
                heirs[0].tags |= old_tags
                self.follow(one, heirs[0])
        if not live:
            if not known or text != old_text:
                one.duplicate_of = None
            return
        others = [s for s in self.said if s is not one and s.text == text and s.live]
        first = next((s for s in others if s.duplicate_of is None), None)
        if first is None:
            one.duplicate_of = None
        else:
            one.duplicate_of = first
            first.tags |= one.tags
            self.follow(one, first)

    def follow(self, old: Said, new: Said) -> None:
        for other in self.said:
            if other.duplicate_of is old and other is not new:
                other.duplicate_of = new


WRITES = st.lists(
    st.tuples(
        st.integers(0, 5),  # which learning
        st.integers(0, 2),  # its text
        st.sets(st.sampled_from("ab"), max_size=2),
        st.booleans() | st.just(True),
        st.sampled_from(["push", "post", "patch"]),
    ),
    max_size=14,
)
TEXTS = ("never push on friday", "vacuum after bulk loads", "pin your dependencies")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(writes=WRITES, batch=st.integers(1, 5), before=st.sampled_from([0, 0, 0, 254]))
async def test_any_history_ends_as_in_a_plain_model(
    client: httpx.AsyncClient,
    database: Database,
    sql: Sql,
    writes: list[Any],
    batch: int,
    before: int,
) -> None:
    tenant = Tenant(client, person(org=f"org_{uuid4().hex}"))
    pusher = Pusher(database, Author(tenant.org, "key_push", "usr_push"))
    plain, kept = Plain(), dict[int, Said]()
    if before:
        await pusher.push(*(entry(f"{uuid4().hex} {n}") for n in range(before)))
        others = [Said(f"{n}", set(), True) for n in range(before)]
        plain.said += others
    waiting: list[tuple[int, Any]] = []

    async def flush() -> None:
        verdicts = await pusher.push(*(sent for _, sent in waiting))
        for (which, _), verdict in zip(waiting, verdicts, strict=True):
            kept[which].name = verdict.id or ""
        waiting.clear()

    for number, (which, text, tags, live, way) in enumerate(writes):
        status = "active" if live else "obsolete"
        one = kept.get(which)
        if one is None:
            one = kept[which] = Said("", set(), False)
        if way != "push" or len(waiting) >= batch:
            await flush()
        origin, source_id = f"{which:016d}", f"L-{which}"
        fields = {"tags": sorted(tags), "status": status}
        if way == "push" or (way == "patch" and not one.name):
            # A hash of its own, so that every write counts.
            sent = entry(
                TEXTS[text],
                origin=origin,
                source_id=source_id,
                sync_hash=f"{number:064d}",
                **fields,
            )
            waiting.append((which, sent))
        elif way == "post":
            body = fields | {
                "summary": TEXTS[text],
                "source_project": origin,
                "source_learning_id": source_id,
                "sync_hash": f"{number:064d}",
            }
            answer = await tenant.send("POST", "/v1/learnings", json=body)
            assert answer.status_code in (200, 201), answer.text
            one.name = answer.json()["id"]
        else:
            change = fields | {"summary": TEXTS[text]}
            answer = await tenant.send("PATCH", f"/v1/learnings/{one.name}", json=change)
            assert answer.status_code == 200, answer.text
        plain.write(one, TEXTS[text], tags, live=live)
    await flush()
    await compare(tenant, sql, plain)


async def compare(tenant: Tenant, sql: Sql, plain: Plain) -> None:
    rows = await rows_of(sql, tenant.org)
    assert len(rows) == len(plain.said)
    for one in (said for said in plain.said if said.name):
        row = rows[one.name]
        assert row["summary"] == one.text
        assert set(row["tags"]) == one.tags, one.text
        assert (row["status"] == "active") is one.live
        assert row["duplicate_of"] == (one.duplicate_of.name if one.duplicate_of else None)
    if rows:
        await assert_sound(sql, tenant.org)
    shown = await tenant.page(page_size=7)
    named = [said for said in plain.said if said.duplicate_of is None]
    assert shown["total"] == len(named)
    newest = [said.name for said in named[::-1] if said.name][:7]
    assert [item["id"] for item in shown["items"]][: len(newest)] == newest
    every = await tenant.page(include_duplicates=True, page_size=200)
    assert every["total"] == len(plain.said)
