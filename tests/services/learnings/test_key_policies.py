"""What one key may pull and record (learnings contract, sections 6.1 and 8.11)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.learnings.app import SERVICE
from shared.principal import Kind, Principal, Role
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.sync_support import Puller, entry, hash_of, push
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of

KEY = "key_limited"
PATH = f"/v1/sync/policies/{KEY}"
PROJECT, OTHER = "git:" + "1" * 16, "git:" + "2" * 16


def keyed(tenant: Tenant, key_id: str = KEY) -> Tenant:
    """The same organization, through an API key."""
    principal = Principal(Kind.API_KEY, key_id, tenant.org, Role.MEMBER, ("*",), key_id, "usr_one")
    return Tenant(tenant.client, principal)


async def limit(tenant: Tenant, **policy: Any) -> dict[str, Any]:
    answer = await tenant.send("PUT", PATH, json=policy)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def summaries(tenant: Tenant) -> set[str]:
    puller = Puller(tenant, client_id="reader")
    await puller.pull_all()
    return {row["summary"] for name, row in puller.rows.items() if not name.startswith("company:")}


async def test_policy_is_put_shown_listed_and_lifted(tenant: Tenant) -> None:
    assert (await tenant.send("GET", PATH)).status_code == 404
    policy = {"origin_projects": [PROJECT], "tags": ["db", "db"], "min_impact": 0.5, "quota": 7}
    made = await limit(tenant, **policy)
    assert made.pop("updated_at")
    assert made == policy | {"key_id": KEY, "tags": ["db"], "recorded": 0}
    assert (await tenant.send("GET", PATH)).json()["quota"] == 7
    assert (await limit(tenant))["quota"] is None
    page = (await tenant.send("GET", "/v1/sync/policies")).json()
    assert (page["total"], page["page"], page["page_size"]) == (1, 1, 50)
    assert page["items"][0]["origin_projects"] == []
    assert (await tenant.send("DELETE", PATH)).status_code == 204
    assert (await tenant.send("DELETE", PATH)).status_code == 404
    assert (await tenant.send("GET", "/v1/sync/policies")).json()["total"] == 0


async def test_stranger_sees_and_changes_nothing(tenant: Tenant, stranger: Tenant) -> None:
    await limit(tenant, quota=1)
    assert (await stranger.send("GET", PATH)).status_code == 404
    assert (await stranger.send("DELETE", PATH)).status_code == 404
    assert (await stranger.send("GET", "/v1/sync/policies")).json()["items"] == []
    await limit(stranger, quota=2)
    assert (await tenant.send("GET", PATH)).json()["quota"] == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_admins_may(tenant: Tenant, method: str) -> None:
    for caller in (keyed(tenant), replace(tenant, principal=member(tenant))):
        answer = await caller.send(method, PATH, json={})
        assert (answer.status_code, answer.json()) == (403, {"detail": "Admin role required"})


def member(tenant: Tenant) -> Principal:
    return replace(tenant.principal, role=Role.MEMBER)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"origin_projects": "x"}, "origin_projects"),
        ({"origin_projects": [7]}, "origin_projects"),
        ({"origin_projects": [""]}, "origin_projects"),
        ({"tags": ["x"] * 101}, "tags"),
        ({"tags": ["x" * 201]}, "tags"),
        ({"tags": [None]}, "tags"),
        ({"tags": ["\x00"]}, "tags"),
        ({"min_impact": 1.5}, "min_impact"),
        ({"min_impact": "0.5"}, "min_impact"),
        ({"min_impact": None}, "min_impact"),
        ({"quota": -1}, "quota"),
        ({"quota": 2**63}, "quota"),
        ({"quota": 1.5}, "quota"),
        ({"quota": "7"}, "quota"),
        ({"quota": True}, "quota"),
    ],
)
async def test_bad_policy_is_422_naming_the_field(
    tenant: Tenant, body: dict[str, Any], field: str
) -> None:
    answer = await tenant.send("PUT", PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", field]
    assert (await tenant.send("GET", PATH)).status_code == 404


@pytest.mark.parametrize("key_id", ["a b", "x" * 65, "%00", "%ED%A0%80", "ü"])
async def test_bad_key_id_is_422(tenant: Tenant, key_id: str) -> None:
    answer = await tenant.send("PUT", f"/v1/sync/policies/{key_id}", json={})
    assert answer.status_code == 422


async def test_foreign_projects_stay_out_of_the_feed(tenant: Tenant) -> None:
    """Section 8.11."""
    for name, project in (("mine", PROJECT), ("theirs", OTHER), ("none", None)):
        metadata = {"origin_project": project} if project else {}
        await tenant.record(summary=name, metadata=metadata)
    await limit(tenant, origin_projects=[PROJECT])
    assert await summaries(keyed(tenant)) == {"mine"}
    assert await summaries(keyed(tenant, "key_other")) == {"mine", "theirs", "none"}
    assert await summaries(tenant) == {"mine", "theirs", "none"}


async def test_tags_and_impact_filter_the_feed(tenant: Tenant) -> None:
    await tenant.record(summary="fits", tags=["db", "x"], impact=0.9)
    await tenant.record(summary="too low", tags=["db"], impact=0.2)
    await tenant.record(summary="another tag", tags=["ui"], impact=0.9)
    await limit(tenant, tags=["db", "api"], min_impact=0.5)
    assert await summaries(keyed(tenant)) == {"fits"}
    await limit(tenant, tags=["db", "api"])
    assert await summaries(keyed(tenant)) == {"fits", "too low"}


async def test_changed_policy_changes_the_tag(tenant: Tenant) -> None:
    """Not modified is true only under the filter that it was said of."""
    await tenant.record(summary="one", tags=["a"])
    await limit(tenant, tags=["b"])
    puller = Puller(keyed(tenant))
    await puller.pull_all()
    assert (puller.rows, (await puller.ask()).status_code) == ({}, 304)
    await limit(tenant, tags=["a"])
    await puller.pull_all()
    assert len(puller.rows) == 1
    await tenant.send("DELETE", PATH)
    assert (await puller.ask()).status_code == 200


async def test_push_over_the_quota_is_skipped_and_the_rest_stored(tenant: Tenant) -> None:
    await limit(tenant, quota=3)
    key = keyed(tenant)
    batch = [entry(f"L-{number}") for number in range(5)]
    answer = await push(key, *batch)
    assert (answer["inserted"], answer["skipped"], answer["errors"]) == (3, 2, 0)
    assert [one["reason"] for one in answer["results"]] == [None] * 3 + ["quota"] * 2
    again = await push(key, *batch)
    assert [one["reason"] for one in again["results"]] == ["unchanged"] * 3 + ["quota"] * 2
    edited = entry("L-0", summary="edited", sync_hash=hash_of("edited"))
    assert (await push(key, edited))["updated"] == 1
    assert (await tenant.send("GET", PATH)).json()["recorded"] == 3
    await limit(tenant, quota=4)
    assert (await push(key, *batch))["inserted"] == 1


async def test_post_over_the_quota_is_403_with_a_reason(tenant: Tenant) -> None:
    await limit(tenant, quota=1)
    key = keyed(tenant)
    await key.record(summary="first", source_learning_id="L-1")
    answer = await key.send("POST", "/v1/learnings", json={"summary": "second"})
    assert answer.status_code == 403
    assert "as many learnings as it may" in answer.json()["detail"]
    again = {"summary": "first, edited", "source_learning_id": "L-1"}
    assert (await key.send("POST", "/v1/learnings", json=again)).status_code == 200
    assert await summaries(tenant) == {"first, edited"}
    await tenant.record(summary="a person's")


async def test_quota_holds_in_a_race(tenant: Tenant) -> None:
    await limit(tenant, quota=5)
    key = keyed(tenant)

    async def post(number: int) -> int:
        body = {"summary": f"number {number}"}
        return (await key.send("POST", "/v1/learnings", json=body)).status_code

    async def pushed(number: int) -> int:
        inserted: int = (await push(key, entry(f"L-{number}")))["inserted"]
        return inserted

    posts = asyncio.gather(*(post(number) for number in range(8)))
    pushes = asyncio.gather(*(pushed(number) for number in range(8)))
    statuses, counts = await posts, await pushes
    assert statuses.count(201) + sum(counts) == 5
    assert set(statuses) <= {201, 403}
    assert (await tenant.send("GET", PATH)).json()["recorded"] == 5


async def test_what_was_recorded_before_counts(tenant: Tenant) -> None:
    key = keyed(tenant)
    for number in range(3):
        await key.record(summary=f"number {number}")
    await push(key, entry("L-1"))
    assert (await limit(tenant, quota=4))["recorded"] == 4
    answer = await key.send("POST", "/v1/learnings", json={"summary": "one more"})
    assert answer.status_code == 403


async def test_default_quota_of_the_installation(urls: DatabaseUrls, tmp_path: Path) -> None:
    settings = learnings_settings(urls, tmp_path, GUILDHALL_KEY_QUOTA=2)
    async with client_of(SERVICE, settings) as client:
        person = Tenant(client)
        key = keyed(person)
        answer = await push(key, *(entry(f"L-{number}") for number in range(3)))
        assert (answer["inserted"], answer["skipped"]) == (2, 1)
        posted = await key.send("POST", "/v1/learnings", json={"summary": "s"})
        assert posted.status_code == 403
        for number in range(4):
            await person.record(summary=f"a person's {number}")
        await limit(person, quota=3)
        assert (await push(key, entry("L-2")))["inserted"] == 1
