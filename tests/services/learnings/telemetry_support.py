"""Events as clients send them, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.services.learnings.conftest import Tenant

Sql = asyncpg.Connection

PATH = "/v1/telemetry"


def at(seconds: float = 0) -> str:
    """A time near now, as clients write it."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.isoformat().replace("+00:00", "Z")


def call(**fields: Any) -> dict[str, Any]:
    """A tool call of shape B, unlike any other."""
    made = {
        "ts": at(),
        "event_type": "tool_invocation",
        "tool_name": "edit_file",
        "outcome": "success",
        "status": "success",
        "success": True,
        "session_id": f"ses-{uuid4().hex}",
        "run_id": None,
        "duration_ms": 12.5,
        "installation_id": "0123456789abcdef",
        "framework_version": "v27.6_TRW",
    } | fields
    return {name: value for name, value in made.items() if value is not ...}


async def post(tenant: Tenant, events: Sequence[Any], path: str = PATH) -> httpx.Response:
    return await tenant.send("POST", path, json={"events": events})


async def taken(tenant: Tenant, *events: Any) -> tuple[int, int, list[int]]:
    """Send events; give accepted, duplicates, and the places of what was rejected."""
    answer = await post(tenant, events)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["accepted"], body["duplicates"], [one["index"] for one in body["rejected"]]


async def rows(sql: Sql, tenant: Tenant) -> list[asyncpg.Record]:
    """What is stored of an organization, in the order of the events' time."""
    return await sql.fetch(
        "SELECT *, payload::text AS payload, attributes::text AS attributes"
        "  FROM learnings.telemetry_event WHERE org_id = $1 ORDER BY time, tool_name",
        tenant.org,
    )


async def count(sql: Sql, tenant: Tenant) -> int:
    return len(await rows(sql, tenant))
