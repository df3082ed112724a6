"""Pulling (learnings contract, section 6.1)."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import asyncpg
import pytest

from tests.services.learnings.conftest import Tenant
from tests.services.learnings.sync_support import Puller

TAIL = "a" * 16


async def test_empty_organization_has_nothing_to_pull(tenant: Tenant) -> None:
    answer = await Puller(tenant).ask()
    assert answer.status_code == 200
    body = answer.json()
    assert body["team_learnings"] == []
    assert body["next_company_seq"] == 0
    assert body["etag"].strip()
    assert answer.headers["etag"] == f'"{body["etag"]}"'
    assert body["sync_hints"]["significant_updates_available"] is False


async def test_row_has_all_that_clients_need(tenant: Tenant) -> None:
    made = await tenant.record(
        summary="Pools leak",
        detail=None,
        source_learning_id="L-ab12",
        source_project=TAIL,
        vector_clock={"peer": 1},
        metadata={"origin_project": "git:" + "2" * 16, "provenance_author": "ada"},
        confidence="high",
    )
    (row,) = (await Puller(tenant).ask()).json()["team_learnings"]
    node = sha256(tenant.org.encode()).hexdigest()[:16]
    expected = {
        "source_learning_id": row["source_learning_id"],
        "summary": "Pools leak",
        "detail": "",
        "tags": [],
        "impact": 0.5,
        "status": "active",
        "type": "pattern",
        "vector_clock": {"peer": 1, node: 1},
        "metadata": {"origin_project": "git:" + "2" * 16, "provenance_author": "ada"},
        "sync_seq": made["sync_seq"],
        "confidence": "high",
    }
    assert row == expected


async def test_unchanged_state_is_304_without_body(tenant: Tenant) -> None:
    await tenant.record()
    puller = Puller(tenant)
    assert await puller.pull()
    answer = await puller.ask()
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == f'"{puller.etag}"'
    await tenant.record(summary="another")
    assert await puller.pull()
    assert len(puller.rows) == 2


@pytest.mark.parametrize("form", ['W/"{}"', '"other", "{}"', "{}"])
async def test_tag_is_found_in_every_form_of_the_header(tenant: Tenant, form: str) -> None:
    await tenant.record()
    puller = Puller(tenant)
    await puller.pull()
    answer = await tenant.send(
        "GET",
        "/v1/intel/state",
        params={"since_seq": puller.since, "client_id": puller.client_id},
        headers={"if-none-match": form.format(puller.etag)},
    )
    assert answer.status_code == 304


@pytest.mark.parametrize("tag", ["*", '"', '""', '"x"', "9" * 5000, '"1.2.3.zz.end"', "\xff"])
async def test_foreign_tag_matches_nothing(tenant: Tenant, tag: str) -> None:
    answer = await tenant.send(
        "GET", "/v1/intel/state", headers={"if-none-match": tag.encode("latin-1")}
    )
    assert answer.status_code == 200


async def test_tag_of_page_one_does_not_hide_page_two(tenant: Tenant) -> None:
    for number in range(205):
        await tenant.record(summary=f"number {number}")
    puller = Puller(tenant)
    assert await puller.pull()
    assert (len(puller.rows), puller.more) == (200, True)
    assert await puller.pull()
    assert (len(puller.rows), puller.more) == (205, False)
    assert not await puller.pull()
    assert puller.seen == sorted(set(puller.seen))


async def test_tag_of_other_cursors_matches_nothing(tenant: Tenant) -> None:
    await tenant.record()
    puller = Puller(tenant)
    await puller.pull()
    assert (await puller.ask(since_seq=0)).status_code == 200
    assert (await puller.ask(client_id="another")).status_code == 200
    assert (await puller.ask(include_own=1)).status_code == 200


async def test_own_rows_are_left_out_unless_asked_for(tenant: Tenant) -> None:
    await tenant.record(summary="own", source_project=TAIL, source_learning_id="L-1")
    await tenant.record(summary="foreign", source_project="b" * 16, source_learning_id="L-2")
    own = Puller(tenant, client_id=f"sync-claude-code-{TAIL}")
    await own.pull_all()
    assert [row["summary"] for row in own.rows.values()] == ["foreign"]
    all_rows = Puller(tenant, client_id=f"sync-claude-code-{TAIL}", include_own=True)
    await all_rows.pull_all()
    assert {row["summary"] for row in all_rows.rows.values()} == {"own", "foreign"}
    unnamed = Puller(tenant, client_id="")
    await unnamed.pull_all()
    assert len(unnamed.rows) == 2


async def test_client_that_only_writes_gets_later_rows_of_others(tenant: Tenant) -> None:
    """Its cursor never moves; what was walked past once must not hide what comes later."""
    own = Puller(tenant, client_id=f"sync-claude-code-{TAIL}")
    for number in range(5):
        await tenant.record(summary=f"own {number}", source_project=TAIL)
        assert await own.pull()
        assert own.since == 0
    await tenant.record(summary="foreign", source_project="b" * 16)
    await tenant.record(summary="own again", source_project=TAIL)
    await own.pull_all()
    assert [row["summary"] for row in own.rows.values()] == ["foreign"]


async def test_change_moves_the_row_to_the_end(tenant: Tenant) -> None:
    first = await tenant.record(summary="first")
    await tenant.record(summary="second")
    puller = Puller(tenant)
    await puller.pull_all()
    await tenant.send("PATCH", f"/v1/learnings/{first['id']}", json={"status": "obsolete"})
    answer = (await puller.ask()).json()
    assert [(row["summary"], row["status"]) for row in answer["team_learnings"]] == [
        ("first", "obsolete")
    ]
    clock = answer["team_learnings"][0]["vector_clock"]
    assert list(clock.values()) == [2]


async def test_served_duplicate_is_shown_as_obsolete_and_an_unserved_row_never(
    tenant: Tenant, sql: asyncpg.Connection[Any]
) -> None:
    kept = await tenant.record(summary="kept")
    taken_back = await tenant.record(summary="taken back")
    hidden = await tenant.record(summary="hidden")
    change = "UPDATE learnings.learning SET duplicate_of = $2, served = $3 WHERE id = $1"
    await sql.execute(change, taken_back["id"], kept["id"], True)
    await sql.execute(change, hidden["id"], kept["id"], False)
    rows = (await Puller(tenant).ask()).json()["team_learnings"]
    assert [(row["summary"], row["status"]) for row in rows] == [
        ("kept", "active"),
        ("taken back", "obsolete"),
    ]


async def test_team_row_never_passes_for_a_company_row(tenant: Tenant) -> None:
    await tenant.record(metadata={"source": "company_sync", "other": "kept"})
    (row,) = (await Puller(tenant).ask()).json()["team_learnings"]
    assert row["metadata"] == {"other": "kept"}


async def test_other_organizations_rows_stay_away(tenant: Tenant, stranger: Tenant) -> None:
    await stranger.record(summary="secret")
    puller = Puller(tenant)
    await puller.pull_all()
    assert puller.rows == {}
    theirs = Puller(stranger)
    await theirs.pull_all()
    answer = await tenant.send(
        "GET",
        "/v1/intel/state",
        params={"client_id": theirs.client_id, "since_seq": theirs.since},
        headers={"if-none-match": f'"{theirs.etag}"'},
    )
    assert answer.status_code == 200


async def test_long_texts_end_a_page_early(tenant: Tenant) -> None:
    for number in range(70):
        await tenant.record(summary=f"long {number}", detail=f"{number}" + "x" * 65_000)
    puller = Puller(tenant)
    await puller.pull()
    assert 60 <= len(puller.rows) < 70
    assert puller.more
    await puller.pull_all()
    assert len(puller.rows) == 70


async def test_hints_spread_the_load(tenant: Tenant) -> None:
    async def interval(client_id: str) -> int:
        hints = (await Puller(tenant, client_id=client_id).ask()).json()["sync_hints"]
        value: int = hints["interval_seconds"]
        return value

    asked = {f"client-{number}": await interval(f"client-{number}") for number in range(40)}
    assert all(240 <= seconds <= 360 for seconds in asked.values())
    assert len(set(asked.values())) > 15
    assert await interval("client-7") == asked["client-7"]


@pytest.mark.parametrize(
    "query",
    [
        {"since_seq": "-1"},
        {"since_seq": "x"},
        {"since_seq": "1e400"},
        {"since_seq": str(2**63)},
        {"since_seq": "9" * 400},
        {"since_seq": "nan"},
        {"since_company_seq": "-1"},
        {"since_company_seq": ""},
        {"include_own": "2"},
        {"client_id": "x" * 129},
        {"client_id": "\x00"},
    ],
)
async def test_bad_query_is_422_naming_it(tenant: Tenant, query: dict[str, str]) -> None:
    answer = await tenant.send("GET", "/v1/intel/state", params=query)
    assert answer.status_code == 422
    (fault,) = answer.json()["detail"]
    assert fault["loc"] == ["query", next(iter(query))]


@pytest.mark.parametrize("field", ["model_family", "trw_version"])
async def test_what_is_only_noted_is_cut_rather_than_refused(tenant: Tenant, field: str) -> None:
    assert (await Puller(tenant).ask(**{field: "x" * 500})).status_code == 200


@pytest.mark.parametrize("since", [2**63 - 1, 10**15])
async def test_cursor_from_the_future_finds_nothing(tenant: Tenant, since: int) -> None:
    await tenant.record()
    answer = await Puller(tenant).ask(since_seq=since, since_company_seq=since)
    assert answer.status_code == 200
    assert answer.json()["team_learnings"] == []
