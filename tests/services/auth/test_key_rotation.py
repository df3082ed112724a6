"""Replacing an API key by a new one (learnings contract, section 3.2)."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.auth.api_keys.operations import create_device_key, create_key
from services.auth.audit_events.models import Origin
from shared.principal import Kind, Principal
from tests.services.auth.conftest import Auth, Person, running
from tests.services.auth.test_api_keys import INACTIVE, check, create, path_of
from tests.support.postgres import DatabaseServer


async def rotate(auth: Auth, person: Person, key_id: str, **body: Any) -> httpx.Response:
    return await auth.post(path_of(person, key_id) + "/rotate", person.principal, **body)


async def test_both_keys_hold_for_a_day(auth: Auth, ada: Person) -> None:
    old = await create(auth, ada, name="ci", scopes=["learnings:read", "backup"])
    answer = await rotate(auth, ada, old["id"])
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    new = answer.json()
    assert new.keys() == old.keys()
    assert new.keys() == {"id", "name", "key", "prefix", "scopes", "created_at", "expires_at"}
    assert (new["name"], new["scopes"], new["expires_at"]) == ("ci", old["scopes"], None)
    assert new["id"] != old["id"]
    assert new["key"] != old["key"]
    assert (await check(auth, new["key"]))["expires_at"] is None
    verdict = await check(auth, old["key"])
    assert verdict["active"]
    assert 86_300 < verdict["expires_at"] - datetime.now(UTC).timestamp() <= 86_400
    listed = (await auth.send("GET", path_of(ada), ada.principal)).json()["items"]
    successors = {item["id"]: item["replaced_by"] for item in listed}
    assert (successors[old["id"]], successors[new["id"]]) == (new["id"], None)
    created = (await auth.events("api_key.created.v1"))[-1]
    assert created["key_id"] == new["id"]
    assert old["id"] not in [event["key_id"] for event in await auth.events("api_key.revoked.v1")]
    await auth.sql.execute("UPDATE auth.api_key SET expires_at = now() WHERE id = $1", old["id"])
    assert await check(auth, old["key"]) == INACTIVE
    assert (await check(auth, new["key"]))["active"]


async def test_the_overlap_may_be_named(auth: Auth, ada: Person) -> None:
    old = await create(auth, ada)
    assert (await rotate(auth, ada, old["id"], overlap_seconds=60)).status_code == 201
    verdict = await check(auth, old["key"])
    assert 50 < verdict["expires_at"] - datetime.now(UTC).timestamp() <= 60


async def test_without_an_overlap_the_old_key_is_dead_at_once(auth: Auth, ada: Person) -> None:
    old = await create(auth, ada)
    token = (await auth.post("/v1/auth/token", api_key=old["key"])).json()["access_token"]
    bought = Person(ada.email, token, await auth.claims_of(token))
    new = (await rotate(auth, ada, old["id"], overlap_seconds=0)).json()
    assert await check(auth, old["key"]) == INACTIVE
    assert not (await auth.check(bought))["active"]
    assert (await check(auth, new["key"]))["active"]
    revoked = (await auth.events("api_key.revoked.v1"))[-1]
    assert (revoked["key_id"], revoked["org_id"]) == (old["id"], ada.claims.org)
    assert (await rotate(auth, ada, old["id"])).status_code == 404


async def test_the_settings_say_the_overlap(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with (
        database_server.clone() as urls,
        running(urls, tmp_path, GUILDHALL_AUTH_KEY_ROTATION_OVERLAP=0) as auth,
    ):
        person = await auth.person()
        old = await create(auth, person)
        assert (await rotate(auth, person, old["id"])).status_code == 201
        assert await check(auth, old["key"]) == INACTIVE


async def test_the_new_key_lives_as_long_as_the_old_was_to(auth: Auth, ada: Person) -> None:
    soon = datetime.now(UTC) + timedelta(days=90)
    old = await create(auth, ada, expires_at=soon.isoformat())
    await auth.sql.execute(
        "UPDATE auth.api_key SET created_at = created_at - interval '85 days',"
        " expires_at = expires_at - interval '85 days' WHERE id = $1",
        old["id"],
    )
    new = (await rotate(auth, ada, old["id"], overlap_seconds=30 * 86_400)).json()
    life = datetime.fromisoformat(new["expires_at"]) - datetime.fromisoformat(new["created_at"])
    assert abs(life - timedelta(days=90)) < timedelta(minutes=1)
    # The overlap does not prolong the old one.
    left = (await check(auth, old["key"]))["expires_at"] - datetime.now(UTC).timestamp()
    assert left <= 5 * 86_400


async def test_of_many_at_once_one_replaces(auth: Auth, ada: Person) -> None:
    old = await create(auth, ada)
    answers = await asyncio.gather(*(rotate(auth, ada, old["id"]) for _ in range(20)))
    found = sorted(answer.status_code for answer in answers)
    assert found == [201] + [409] * 19
    successors = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.api_key WHERE org_id = $1 AND created_at >="
        " (SELECT created_at FROM auth.api_key WHERE id = $2)",
        ada.claims.org,
        old["id"],
    )
    assert successors == 2


async def test_the_new_key_acts_for_whoever_rotates(auth: Auth, root: Person) -> None:
    owner = await auth.person()
    made = await auth.post(path_of(owner), root.principal, name="bot", scopes=["releases:write"])
    assert made.status_code == 201
    # Its secret would let an organization's admin act for the platform's.
    refused = await rotate(auth, owner, made.json()["id"])
    assert refused.status_code == 403
    assert (await check(auth, made.json()["key"]))["account_id"] == root.claims.sub
    plain = await auth.post(path_of(owner), root.principal, name="bot")
    new = (await rotate(auth, owner, plain.json()["id"])).json()
    verdict = await check(auth, new["key"])
    assert (verdict["account_id"], verdict["role"]) == (owner.claims.sub, "owner")


async def test_only_an_organizations_own_keys_are_rotated(auth: Auth, ada: Person) -> None:
    made = await auth.post("/api/v1/auth/tokens", ada.principal)
    assert (await rotate(auth, ada, made.json()["id"])).status_code == 409
    async with auth.sql.transaction():
        _, key_id = await create_device_key(
            auth.sql, ada.claims.sub, ada.claims.org, "trw-cli", Origin()
        )
    assert (await rotate(auth, ada, key_id)).status_code == 409


async def test_another_organizations_key_is_not_there(
    auth: Auth, ada: Person, grace: Person
) -> None:
    made = await create(auth, grace)
    for path in (path_of(grace, made["id"]), path_of(ada, made["id"]), path_of(ada, "key_none")):
        answer = await auth.post(path + "/rotate", ada.principal)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert (await check(auth, made["key"]))["expires_at"] is None


async def test_keys_and_members_rotate_nothing(auth: Auth, ada: Person) -> None:
    made, claims = await create(auth, ada), ada.claims
    key = Principal(Kind.API_KEY, "key_1", claims.org, "owner", ("*",), "key_1", claims.sub)
    member = Principal(Kind.USER, claims.sub, claims.org, "member", ("*",), claims.sid, claims.sub)
    for principal in (key, member):
        answer = await auth.post(path_of(ada, made["id"]) + "/rotate", principal)
        assert answer.status_code == 403


@pytest.mark.parametrize("value", [-1, 30 * 86_400 + 1, 1.5, "60", True, []])
async def test_a_wrong_overlap_is_named(auth: Auth, ada: Person, value: Any) -> None:
    made = await create(auth, ada)
    answer = await rotate(auth, ada, made["id"], overlap_seconds=value)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "overlap_seconds"]
    assert (await check(auth, made["key"]))["expires_at"] is None


async def test_what_happens_to_keys_is_audited(auth: Auth) -> None:
    person = await auth.person()
    old = await create(auth, person, name="ci", scopes=["backup"])
    new = (await rotate(auth, person, old["id"], overlap_seconds=0)).json()
    await auth.send("DELETE", path_of(person, new["id"]), person.principal)
    rows = await auth.sql.fetch(
        "SELECT action, target, actor_id, detail FROM auth.audit_event"
        " WHERE org_id = $1 AND action LIKE 'api_key.%' ORDER BY id",
        person.claims.org,
    )
    assert [(row["action"], row["target"]) for row in rows] == [
        ("api_key.created", old["id"]),
        ("api_key.created", new["id"]),
        ("api_key.rotated", old["id"]),
        ("api_key.revoked", old["id"]),
        ("api_key.revoked", new["id"]),
    ]
    assert {row["actor_id"] for row in rows} == {person.claims.sub}
    assert json.loads(rows[0]["detail"]) == {
        "kind": "organization",
        "name": "ci",
        "scopes": ["backup"],
    }
    assert json.loads(rows[2]["detail"]) == {"replaced_by": new["id"], "overlap_seconds": 0}
    assert old["key"] not in str(rows)


async def test_keys_made_for_others_hold(auth: Auth, ada: Person, root: Person) -> None:
    async with auth.sql.transaction():
        device, device_id = await create_device_key(
            auth.sql, ada.claims.sub, ada.claims.org, "trw-cli", Origin("203.0.113.4")
        )
        first, first_id = await create_key(
            auth.sql,
            account_id=ada.claims.sub,
            org_id=ada.claims.org,
            name="First key",
            scopes=["*"],
            origin=Origin(),
            actor=root.principal,
        )
    assert device.startswith("trw_dk_")
    assert len(device) == len("trw_dk_") + 43
    assert first.startswith("trw_live_")
    for key, key_id in ((device, device_id), (first, first_id)):
        verdict = await check(auth, key)
        assert (verdict["active"], verdict["key_id"]) == (True, key_id)
        assert (verdict["account_id"], verdict["scopes"]) == (ada.claims.sub, ["*"])
        created = [event["key_id"] for event in await auth.events("api_key.created.v1")]
        assert created.count(key_id) == 1
    listed = (await auth.send("GET", path_of(ada), ada.principal)).json()["items"]
    kinds = {item["id"]: item["kind"] for item in listed}
    assert (kinds[device_id], kinds[first_id]) == ("device", "organization")
    actors = await auth.sql.fetch(
        "SELECT actor_id FROM auth.audit_event WHERE target = ANY($1) ORDER BY id",
        [device_id, first_id],
    )
    assert [row["actor_id"] for row in actors] == [ada.claims.sub, root.claims.sub]
    # A device's key can be revoked where all keys are seen.
    await auth.send("DELETE", path_of(ada, device_id), ada.principal)
    assert await check(auth, device) == INACTIVE
