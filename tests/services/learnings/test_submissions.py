from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.learnings.conftest import Tenant
from tests.services.learnings.installations_support import key_of, member_of, platform_admin

GOOD: dict[str, Any] = {
    "category": "bugfix",
    "subject": "The installer stops",
    "message": "It stops at the second step.",
}


async def submit(tenant: Tenant, **fields: Any) -> httpx.Response:
    return await tenant.send("POST", "/v1/submissions", json=GOOD | fields)


async def sent(tenant: Tenant, **fields: Any) -> str:
    answer = await submit(tenant, **fields)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"submission_id"}
    found: str = body["submission_id"]
    assert found.startswith("sub_")
    return found


async def stored(sql: asyncpg.Connection[asyncpg.Record], tenant: Tenant) -> asyncpg.Record:
    row = await sql.fetchrow("SELECT * FROM learnings.submission WHERE org_id = $1", tenant.org)
    assert row is not None
    return row


@pytest.mark.parametrize(
    "category", ["bugfix", "installation", "feedback", "feature_request", "question", "other"]
)
async def test_every_category_is_taken_with_exactly_200(tenant: Tenant, category: str) -> None:
    await sent(key_of(tenant), category=category)


async def test_people_submit_too(tenant: Tenant) -> None:
    await sent(tenant)


BAD: list[tuple[str, Any]] = [
    ("category", "praise"),
    ("category", None),
    ("category", 5),
    ("subject", ""),
    ("subject", "  "),
    ("subject", "x" * 201),
    ("subject", "two\nlines"),
    ("subject", "two\rlines"),
    ("subject", "two\u2028lines"),
    ("subject", ["list"]),
    ("subject", "a\x00b"),
    ("message", "too short"),
    ("message", "short    " + " " * 20),
    ("message", "x" * 10_001),
    ("message", {"a": 1}),
    ("message", 10**30),
    ("metadata", "text"),
    ("metadata", ["a"]),
    ("metadata", {"k": 5}),
    ("metadata", {"k": None}),
    ("metadata", {"k": {"deep": "er"}}),
    ("metadata", {"k": "x" * 201}),
    ("metadata", {"k" * 65: "x"}),
    ("metadata", {"": "x"}),
    ("metadata", {"k": "two\nlines"}),
    ("metadata", {"two\nlines": "x"}),
    ("metadata", {f"k{number}": "x" for number in range(17)}),
    ("contact_email", "x" * 255),
    ("contact_email", "a@b.c\nBcc: d@e.f"),
    ("contact_email", 5),
]


@pytest.mark.parametrize(("field", "value"), BAD)
async def test_a_bad_field_is_named(tenant: Tenant, field: str, value: Any) -> None:
    answer = await submit(tenant, **{field: value})
    assert answer.status_code == 422
    [fault, *_] = answer.json()["detail"]
    assert fault["loc"][:2] == ["body", field]
    # People read this: a text has characters, not items.
    assert "item" not in fault["msg"]


@pytest.mark.parametrize("field", ["category", "subject", "message"])
async def test_a_missing_field_is_named(tenant: Tenant, field: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != field}
    answer = await tenant.send("POST", "/v1/submissions", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]


@pytest.mark.parametrize("raw", [b'{"subject":"\\ud800"}', b"[" * 5000, b'{"category":NaN}', b"["])
async def test_what_is_no_json_is_no_fault_of_ours(tenant: Tenant, raw: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await tenant.send("POST", "/v1/submissions", content=raw, headers=headers)
    assert answer.status_code in (400, 422)


async def test_the_limits_themselves_are_allowed(tenant: Tenant) -> None:
    metadata = {f"{number:064}": "x" * 200 for number in range(16)}
    automatic = {
        "trw_mcp_version": "0.62.0",
        "python_version": "3.11",
        "os_platform": "linux",
        "source_identity": "cli",
    }
    await sent(
        tenant,
        subject="x" * 200,
        message="x" * 10_000,
        metadata=metadata | automatic,
        contact_email="a" * 248 + "@b.com",
    )


async def test_the_same_is_known_again_for_a_day(
    tenant: Tenant, sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    key = key_of(tenant)
    first = await sent(key, metadata={"a": "1"})
    assert await sent(key, metadata={"a": "2"}, contact_email="a@b.com") == first
    assert await sent(key, subject=f" {GOOD['subject']} ") == first
    assert await sent(key, category="other") != first
    assert await sent(key, message="Another message.") != first
    assert await sent(key_of(tenant)) != first
    await sql.execute(
        "UPDATE learnings.submission SET created_at = created_at - interval '25 h' WHERE id = $1",
        first,
    )
    assert await sent(key) != first


async def test_the_same_at_once_is_stored_once(tenant: Tenant) -> None:
    key = key_of(tenant)
    assert len(set(await asyncio.gather(*(sent(key) for _ in range(15))))) == 1


async def test_too_many_within_an_hour_wait(
    tenant: Tenant, sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    key = key_of(tenant)
    answers = await asyncio.gather(*(submit(key, subject=f"Number {n}") for n in range(25)))
    assert sorted(answer.status_code for answer in answers) == [200] * 20 + [429] * 5
    refused = next(answer for answer in answers if answer.status_code == 429)
    seconds = int(refused.headers["retry-after"])
    assert 3500 <= seconds <= 3600
    assert refused.json() == {"detail": f"Rate limit exceeded. Retry after {seconds} seconds."}
    await sent(key_of(tenant))
    # What is known already is answered all the same.
    known = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
    await sent(key, subject=f"Number {known}")
    await sql.execute(
        "UPDATE learnings.submission SET created_at = created_at - interval '1 h'"
        " WHERE org_id = $1",
        tenant.org,
    )
    await sent(key, subject="Number 99")


async def test_only_the_address_to_answer_at_is_kept(
    tenant: Tenant, sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    await sent(
        tenant,
        subject="Fails with password=hunter2",
        message="In /home/alice/shop/x.py with key AKIAIOSFODNN7EXAMPLE of bob@example.com",
        metadata={"cwd": "/home/alice/shop"},
        contact_email="alice@example.com",
    )
    row = await stored(sql, tenant)
    assert row["subject"] == "Fails with password=<secret>"
    assert row["message"] == "In <path>x.py with key <secret> of <email>"
    assert row["metadata"] == '{"cwd": "<path>shop"}'
    assert row["contact_email"] == "alice@example.com"


async def test_platform_administrators_read_them(
    client: httpx.AsyncClient, tenant: Tenant, sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    await sql.execute(
        "INSERT INTO learnings.organization (org_id, name) VALUES ($1, 'Acme')", tenant.org
    )
    made = await sent(tenant, category="question", metadata={"a": "b"})
    answer = await platform_admin(client).send(
        "GET", "/v1/admin/submissions", params={"category": "question", "page_size": 200}
    )
    body = answer.json()
    assert set(body) == {"items", "total", "page", "page_size"}
    assert {item["category"] for item in body["items"]} == {"question"}
    item = next(item for item in body["items"] if item["id"] == made)
    assert item.pop("created_at").endswith("Z")
    assert item == {
        "id": made,
        "org_id": tenant.org,
        "org_name": "Acme",
        "category": "question",
        "subject": GOOD["subject"],
        "message": GOOD["message"],
        "metadata": {"a": "b"},
        "contact_email": None,
        "principal": tenant.principal.subject,
    }
    answer = await platform_admin(client).send("GET", "/v1/admin/submissions")
    assert answer.json()["total"] >= 1
    answer = await platform_admin(client).send("GET", "/v1/admin/submissions?category=praise")
    assert answer.status_code == 422


async def test_others_do_not_read_them(tenant: Tenant) -> None:
    for caller in (tenant, member_of(tenant), key_of(tenant)):
        answer = await caller.send("GET", "/v1/admin/submissions")
        assert (answer.status_code, answer.json()) == (403, {"detail": "Admin role required"})


async def test_a_key_needs_the_scope(tenant: Tenant) -> None:
    answer = await submit(key_of(tenant, "learnings:write"))
    assert answer.status_code == 403
    assert answer.json() == {"detail": "Missing scope: submissions:write"}
    await sent(key_of(tenant, "submissions:write"))
