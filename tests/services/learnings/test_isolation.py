"""No route shows or changes what belongs to another organization."""

from __future__ import annotations

import json
import re

import pytest

from services.learnings.app import SERVICE
from shared.api import Operation
from tests.services.learnings.conftest import Tenant

# A stream has no end; its own tests listen as a stranger.
ENDLESS = {"/v1/learnings/stream"}
TENANTED = [
    operation
    for operation in SERVICE.operations
    if not operation.public and operation.path not in ENDLESS
]
HASH = "f" * 16
BODIES: dict[tuple[str, str], dict[str, object]] = {
    ("POST", "/v1/learnings"): {
        "summary": "mine",
        "source_learning_id": "L-ab12",
        "source_project": HASH,
    },
    ("POST", "/v1/learnings/search"): {"query": "swordfish"},
    ("POST", "/v1/sync/learnings"): {
        "entries": [{"source_learning_id": "L-ab12", "summary": "mine"}],
        "client_id": f"sync-cli-{HASH}",
        "push_seq": 1,
    },
    ("POST", "/v1/sync/outcomes"): {
        "outcomes": [{"session_id": "run", "learning_ids": ["L-ab12"], "build_passed": True}],
        "client_id": f"sync-cli-{HASH}",
    },
    ("POST", "/v1/telemetry/events"): {"events": []},
}


@pytest.mark.parametrize("operation", TENANTED, ids=lambda row: f"{row.method} {row.path}")
async def test_a_stranger_sees_and_changes_nothing(
    tenant: Tenant, stranger: Tenant, operation: Operation
) -> None:
    """Whatever is asked, with the other's ids in every place: no word of theirs comes back."""
    made = await tenant.record(
        summary="swordfish", source_learning_id="L-ab12", source_project=HASH
    )
    path = re.sub(r"\{\w+\}", made["id"], operation.path)
    body = BODIES.get((operation.method, operation.path))
    if body is None and operation.method in ("POST", "PUT", "PATCH"):
        body = {"tags": ["x"]}
    answer = await stranger.send(operation.method, path, json=body)
    assert answer.status_code < 500, answer.text
    if operation.path.startswith("/v1/learnings/{id}"):
        assert answer.status_code == 404
        assert answer.json() == {"detail": "Not Found"}
        nothing = await stranger.send(
            operation.method, path.replace(made["id"], "L-nothing"), json=body
        )
        assert nothing.content == answer.content
    assert "swordfish" not in answer.text
    assert (await tenant.page())["items"] == [made]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"tag": "t"},
        {"q": "swordfish"},
        {"status": "active"},
        {"type": "pattern"},
        {"min_impact": 0},
        {"source_project": "f" * 16},
        {"origin_project": "git:" + "f" * 16},
        {"updated_since": "2001-01-01"},
        {"sort": "impact"},
    ],
    ids=json.dumps,
)
async def test_no_filter_reaches_across(
    tenant: Tenant, stranger: Tenant, query: dict[str, str]
) -> None:
    await tenant.record(
        summary="swordfish",
        tags=["t"],
        source_project="f" * 16,
        metadata={"origin_project": "git:" + "f" * 16},
    )
    assert (await tenant.page(**query))["total"] == 1
    found = await stranger.page(**query)
    assert (found["items"], found["total"]) == ([], 0)
