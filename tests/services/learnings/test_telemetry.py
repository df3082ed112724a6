from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.learnings.telemetry.models import MOST_EVENTS
from shared.principal import Kind, Principal
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.telemetry_support import PATH, Sql, at, call, count, post, rows, taken

INSTALLATION = "fedcba9876543210"


def every_shape() -> list[Any]:
    """Shapes A to E, and three elements that are none."""
    return [
        {
            "timestamp": at(-10),
            "installation_id": INSTALLATION,
            "framework_version": "v27",
            "event_type": "ceremony_compliance",
            "run_id": "run-1",
            "score": 0.75,
            "phases_completed": ["plan"],
        },
        call(
            ts=at(-9),
            success=False,
            status=...,
            outcome="failure",
            error_type="Timeout",
            pytest_passed=True,
            test_count=12,
            coverage_pct=81.5,
            static_checks_passed=False,
            mypy_passed=True,
            input_tokens=100,
            output_tokens=20,
            cost_usd=0.01,
            attributes={"a": 1},
            phase="IMPLEMENT",
            event_id="evt_1",
            turn_index=3,
        ),
        {
            "os_platform": "linux",
            "python_version": "3.11",
            "profile": "full",
            "install_outcome": "ok",
            "event_type": "install_complete",
        },
        {
            "ts": at(-8),
            "event": "tool_call",
            "tool": "search",
            "args_hash": "0123456789abcdef",
            "duration_ms": 3,
            "result_summary": "found in /home/ada/secret/notes.md by ada@example.org",
            "success": True,
        },
        {"event_type": "tool_use", "ts": at(-7), "data": {"mail": "ada@example.org"}},
        "garbage",
        None,
        [1],
    ]


async def test_every_shape_in_one_batch_beside_garbage_and_again(tenant: Tenant, sql: Sql) -> None:
    shapes = every_shape()
    assert await taken(tenant, *shapes) == (5, 0, [5, 6, 7])
    assert await taken(tenant, *shapes) == (5, 5, [5, 6, 7])
    ceremony, tool, old, page, install = await rows(sql, tenant)
    assert (ceremony["ceremony_score"], ceremony["run_id"]) == (0.75, "run-1")
    assert json.loads(ceremony["payload"]) == {"phases_completed": ["plan"]}
    columns = "status error_type pytest_passed test_count coverage_pct static_checks_passed"
    assert [tool[name] for name in columns.split()] == ["error", "Timeout", True, 12, 81.5, False]
    columns = "mypy_passed input_tokens output_tokens cost_usd phase installation_id"
    assert [tool[name] for name in columns.split()] == [
        *(True, 100, 20, 0.01),
        *("IMPLEMENT", "0123456789abcdef"),
    ]
    assert json.loads(tool["attributes"]) == {"a": 1}
    assert json.loads(tool["payload"]) == {
        "event_id": "evt_1",
        "turn_index": 3,
        "outcome": "failure",
    }
    assert (old["event_type"], old["tool_name"], old["status"]) == (
        "tool_invocation",
        "search",
        "success",
    )
    assert old["duration_ms"] == 3
    assert json.loads(old["payload"]) == {
        "args_hash": "0123456789abcdef",
        "result_summary": "found in <path>notes.md by <email>",
    }
    assert json.loads(page["payload"]) == {"data": {"mail": "<email>"}}
    assert install["os_platform"] == "linux"
    assert json.loads(install["payload"]) == {"profile": "full", "install_outcome": "ok"}
    assert install["time"] == install["received_at"]


async def test_both_paths_serve(tenant: Tenant) -> None:
    for path in (PATH, PATH + "/events", PATH + "/"):
        answer = await post(tenant, [call()], path)
        assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}


async def test_no_events_are_zeros(tenant: Tenant) -> None:
    assert (await post(tenant, [])).json() == {"accepted": 0, "duplicates": 0, "rejected": []}


@pytest.mark.parametrize("body", [{}, {"events": None}, {"events": {}}, {"events": "x"}, [], 1])
async def test_only_a_missing_list_is_422(tenant: Tenant, body: Any) -> None:
    answer = await tenant.send("POST", PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "body"


async def test_an_empty_body_is_422(tenant: Tenant) -> None:
    assert (await tenant.send("POST", PATH)).status_code in (400, 422)


async def test_more_than_the_most_is_413(tenant: Tenant, sql: Sql) -> None:
    assert (await post(tenant, [call()] * (MOST_EVENTS + 1))).status_code == 413
    assert await count(sql, tenant) == 0
    assert (await taken(tenant, *[call() for _ in range(MOST_EVENTS)]))[0] == MOST_EVENTS
    assert await count(sql, tenant) == MOST_EVENTS


async def test_a_body_over_the_limit_is_413(tenant: Tenant) -> None:
    assert (await post(tenant, [call(error="x" * 2_000_000)])).status_code == 413


async def test_what_is_no_json_is_refused(tenant: Tenant) -> None:
    for content in (b"{", b'{"events": [' + b"[" * 100_000, b"\xff\xfe"):
        headers = {"content-type": "application/json"}
        answer = await tenant.send("POST", PATH, content=content, headers=headers)
        assert answer.status_code == 400, content[:20]
    headers = {"content-type": "text/plain"}
    answer = await tenant.send("POST", PATH, content=b'{"events": []}', headers=headers)
    assert answer.status_code == 415


ODD: list[dict[str, Any]] = [
    {"event_type": 5, "ts": [], "tool_name": {}, "duration_ms": "fast", "status": 7},
    {"event_type": "", "session_id": "x" * 5_000, "installation_id": "y" * 3_000},
    {"duration_ms": -1, "input_tokens": 1.5, "output_tokens": 10**400, "cost_usd": True},
    {"duration_ms": 10**30, "test_count": -4, "pytest_passed": "yes", "attributes": [1]},
    {"ts": "yesterday", "timestamp": "9999-12-31T23:59:59.999999-23:59"},
    {"ts": 10**400, "timestamp": -(10**18)},
    {"ts": 1e308, "event": ["x"]},
    {"ts": True, "tool": None},
    {"data": [[[[[[[[[[[[[[[["deep"]]]]]]]]]]]]]]]]},
    {"event_id": {"a": 1}, "success": "perhaps", "outcome": ["x"]},
    {"event_id": "", "phase": "\u202e", "error": "\U0001f4a3"},
    {"__proto__": 1, "": 2, "org_id": "org_other", "day": "2020-01-01", "batch": 0},
    {},
]


async def test_odd_values_stay_in_the_payload(tenant: Tenant, sql: Sql) -> None:
    assert await taken(tenant, *ODD) == (len(ODD), 0, [])
    stored = await rows(sql, tenant)
    assert len(stored) == len(ODD)
    payloads = [json.loads(row["payload"] or "{}") for row in stored]
    odd = next(one for one in payloads if one.get("duration_ms") == "fast")
    assert odd == ODD[0]
    assert any(one.get("output_tokens") == 10**400 for one in payloads)
    assert {row["org_id"] for row in stored} == {tenant.org}


RAW = [
    (rb'{"event_type": "a\u0000b"}', [0]),
    (rb'{"a\u0000b": 1}', [0]),
    (rb'{"event_type": "\ud800"}', [0]),
    (rb'{"data": ["\udfff"]}', [0]),
    (rb'{"duration_ms": 1e400, "tool": "t"}', []),
    (rb'{"duration_ms": NaN}', []),
    (rb'{"error": -Infinity}', []),
    (b'{"test_count": ' + b"9" * 5_000 + b"}", []),
    (b'{"data": ' + b"[" * 150 + b"]" * 150 + b"}", []),
    (b'{"data": ' + b"[" * 500 + b"]" * 500 + b"}", [0]),
    (rb'{"error": "\\u0000 is written so"}', []),
]


@pytest.mark.parametrize(("element", "rejected"), RAW, ids=lambda value: str(value)[:40])
async def test_what_cannot_be_stored_is_rejected_alone(
    tenant: Tenant, sql: Sql, element: bytes, rejected: list[int]
) -> None:
    content = b'{"events": [' + element + b', {"event_type": "good"}]}'
    headers = {"content-type": "application/json"}
    answer = await tenant.send("POST", PATH, content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [one["index"] for one in body["rejected"]] == rejected
    assert body["accepted"] == 2 - len(rejected) == await count(sql, tenant)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-02-22T10:00:00Z", datetime(2026, 2, 22, 10, tzinfo=UTC)),
        ("2026-02-22T10:00:00.25+02:00", datetime(2026, 2, 22, 8, 0, 0, 250000, tzinfo=UTC)),
        ("2026-02-22T10:00:00", datetime(2026, 2, 22, 10, tzinfo=UTC)),
        (1771754400, datetime(2026, 2, 22, 10, tzinfo=UTC)),
        (1771754400000.0, datetime(2026, 2, 22, 10, tzinfo=UTC)),
        ("2019-12-31T23:59:59Z", None),
        ("2200-01-01T00:00:00Z", None),
    ],
)
async def test_times_are_read_and_absurd_ones_kept_aside(
    tenant: Tenant, sql: Sql, sent: Any, expected: datetime | None
) -> None:
    assert await taken(tenant, {"event_type": "x", "ts": sent}) == (1, 0, [])
    (row,) = await rows(sql, tenant)
    if expected is None:
        assert row["time"] == row["received_at"]
        assert json.loads(row["payload"]) == {"ts": sent}
    else:
        assert (row["time"], row["payload"]) == (expected, None)


async def test_the_second_name_serves_where_the_first_is_of_no_use(
    tenant: Tenant, sql: Sql
) -> None:
    sent = {"ts": "?", "timestamp": "2026-02-22T10:00:00Z", "event": "e", "tool_name": "t"}
    await taken(tenant, sent, {"tool": "only"})
    first, second = await rows(sql, tenant)
    assert (first["time"].year, first["event_type"], first["tool_name"]) == (2026, "e", "t")
    assert json.loads(first["payload"]) == {"ts": "?"}
    assert second["event_type"] == "tool_invocation"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "success"}, "success"),
        ({"status": "ERROR"}, "error"),
        ({"success": True}, "success"),
        ({"success": False}, "error"),
        ({"outcome": "failed"}, "error"),
        ({"outcome": "ok"}, "success"),
        ({"status": "error", "success": True, "outcome": "success"}, "error"),
        ({"status": "odd", "success": True}, "success"),
        ({"outcome": "odd"}, None),
        ({}, None),
    ],
)
async def test_status_comes_from_whatever_tells_it(
    tenant: Tenant, sql: Sql, fields: dict[str, Any], status: str | None
) -> None:
    await taken(tenant, {"event_type": "x"} | fields)
    (row,) = await rows(sql, tenant)
    assert row["status"] == status


async def test_nothing_private_is_readable_anywhere(tenant: Tenant, sql: Sql) -> None:
    secret = "trw_live_" + "aB3" * 10
    private = f"ada@example.org called +1 415 555 0100 with {secret} in /home/ada/work/notes.txt"
    sent = [
        call(error=private, data={"deep": [{"text": private}]}, password="hunter2hunter2"),
        call(error_type=private[:100], phase="/home/ada/work/x", attributes={"note": private}),
        {"event_type": private[:90], "tool": "ada@example.org", "result_summary": private},
    ]
    assert (await taken(tenant, *sent))[0] == 3
    text = " ".join(str(dict(row)) for row in await rows(sql, tenant))
    for word in ("ada@", "415 555", "aB3aB3", "/home", "hunter2"):  # none that a digest could hold
        assert word not in text, word


async def test_hashes_numbers_and_ids_survive(tenant: Tenant, sql: Sql) -> None:
    kept = {
        "args_hash": "0123456789abcdef" * 4,
        "tool_call_id": "toolu_01AbCdEfGhIjKlMnOp",
        "parent_event_id": "evt_0a1b2c3d",
        "uuid": "123e4567-e89b-12d3-a456-426614174000",
        "started": "2026-02-22T10:00:00.746014Z",
        "clock": 1771754400.746014,
        "version": "10.12.13",
    }
    await taken(tenant, call(session_id="20260222-100000-ab12", **kept))
    (row,) = await rows(sql, tenant)
    assert json.loads(row["payload"]) == kept
    assert row["session_id"] == "20260222-100000-ab12"


async def test_events_without_an_installation_belong_to_the_key(tenant: Tenant, sql: Sql) -> None:
    key = Principal(Kind.API_KEY, "key_7", tenant.org, "member", ("*",), "key_7", "usr_7")
    await taken(Tenant(tenant.client, key), call(installation_id=...))
    await taken(tenant, call(installation_id=..., ts=at(1)))
    assert [row["installation_id"] for row in await rows(sql, tenant)] == ["key_7", "person"]


async def test_scopes_are_asked_for(tenant: Tenant) -> None:
    key = Principal(Kind.API_KEY, "key_8", tenant.org, "member", ("sync:read",), "key_8", "usr_8")
    refused = await post(Tenant(tenant.client, key), [call()])
    assert (refused.status_code, refused.json()) == (
        403,
        {"detail": "Missing scope: telemetry:write"},
    )
    refused = await Tenant(tenant.client, key).send("GET", PATH + "/summary")
    assert refused.json() == {"detail": "Missing scope: learnings:read"}
    homeless = Tenant(tenant.client, Principal(Kind.USER, "usr_9", "", "", ("*",), "s", "usr_9"))
    assert (await post(homeless, [call()])).status_code == 403
    assert (await tenant.client.post(PATH, json={"events": []})).status_code == 401
