"""No route shows or changes what belongs to another organization."""

from __future__ import annotations

import json

import pytest

from services.learnings.app import SERVICE
from shared.api import Operation
from tests.services.learnings.conftest import Tenant

TENANTED = [operation for operation in SERVICE.operations if not operation.public]
BODIES: dict[str, dict[str, object]] = {
    "POST": {"summary": "mine", "source_learning_id": "L-ab12"},
    "PATCH": {"tags": ["x"]},
}


@pytest.mark.parametrize("operation", TENANTED, ids=lambda row: f"{row.method} {row.path}")
async def test_a_stranger_sees_and_changes_nothing(
    tenant: Tenant, stranger: Tenant, operation: Operation
) -> None:
    made = await tenant.record(
        summary="swordfish", source_learning_id="L-ab12", source_project="f" * 16
    )
    path = operation.path.replace("{id}", made["id"])
    body = BODIES.get(operation.method)
    if operation.method == "POST" and body:
        body = body | {"source_project": "f" * 16}
    answer = await stranger.send(operation.method, path, json=body)
    if "{id}" in operation.path:
        assert answer.status_code == 404
        assert answer.json() == {"detail": "Not Found"}
        unknown = operation.path.replace("{id}", "L-nothing")
        nothing = await stranger.send(operation.method, unknown, json=body)
        assert nothing.content == answer.content
    else:
        assert answer.status_code < 300
    assert "swordfish" not in answer.text
    assert made["id"] not in answer.text
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
