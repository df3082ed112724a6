from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.principal import Kind, Principal
from tests.services.auth.conftest import GATEWAY, Auth, Person


def path_of(person: Person, key_id: str = "") -> str:
    path = f"/v1/admin/organizations/{person.claims.org}/api-keys"
    return f"{path}/{key_id}" if key_id else path


async def create(auth: Auth, person: Person, **fields: Any) -> dict[str, Any]:
    answer = await auth.post(path_of(person), person.principal, **({"name": "ci"} | fields))
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made: dict[str, Any] = answer.json()
    return made


async def check(auth: Auth, key: str) -> dict[str, Any]:
    digest = hashlib.sha256(key.encode()).hexdigest()
    answer = await auth.post("/internal/api-keys/check", GATEWAY, digest=digest)
    assert answer.status_code == 200, answer.text
    verdict: dict[str, Any] = answer.json()
    return verdict


INACTIVE = {
    "active": False,
    "key_id": "",
    "account_id": "",
    "org_id": "",
    "role": "",
    "scopes": [],
    "expires_at": None,
}


async def test_a_key_is_shown_once_and_holds_at_once(auth: Auth, ada: Person) -> None:
    made = await create(auth, ada, name="  laptop ")
    key = made["key"]
    assert re.fullmatch(r"trw_live_[A-Za-z0-9_-]{43}", key)
    assert made["name"] == "laptop"
    assert made["scopes"] == ["*"]
    assert key.startswith(made["prefix"])
    assert made["created_at"].endswith("Z")
    assert await check(auth, key) == {
        "active": True,
        "key_id": made["id"],
        "account_id": ada.claims.sub,
        "org_id": ada.claims.org,
        "role": "owner",
        "scopes": ["*"],
        "expires_at": None,
    }
    listed = (await auth.send("GET", path_of(ada), ada.principal)).json()
    assert key not in str(listed)
    assert key not in str(await auth.sql.fetch("SELECT * FROM auth.api_key"))
    event = (await auth.events("api_key.created.v1"))[-1]
    assert (event["key_id"], event["org_id"]) == (made["id"], ada.claims.org)
    assert event["account_id"] == ada.claims.sub


async def test_the_list_is_paged_newest_first(auth: Auth) -> None:
    person = await auth.person()
    made = [(await create(auth, person, name=str(number)))["id"] for number in range(3)]
    answer = await auth.send(
        "GET", path_of(person), person.principal, params={"page": 2, "page_size": 2}
    )
    body = answer.json()
    assert [item["id"] for item in body.pop("items")] == made[:1]
    assert body == {"total": 3, "page": 2, "page_size": 2}
    first = (await auth.send("GET", path_of(person), person.principal)).json()["items"][0]
    assert first.keys() == {
        "id",
        "kind",
        "name",
        "prefix",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "replaced_by",
        "revoked_at",
        "last_refused_at",
        "refused_count",
    }
    assert first["last_used_at"] is None


async def test_a_revoked_key_is_dead_with_its_tokens(auth: Auth, ada: Person) -> None:
    made = await create(auth, ada, scopes=["learnings:read", "backup", "learnings:read"])
    token = (await auth.post("/v1/auth/token", api_key=made["key"])).json()["access_token"]
    bought = Person(ada.email, token, await auth.claims_of(token))
    assert bought.claims.sid == made["id"]
    assert bought.claims.sub == ada.claims.sub
    assert bought.claims.org == ada.claims.org
    assert bought.claims.scopes == ("learnings:read", "backup")
    assert await auth.check(bought) == {
        "active": True,
        "kind": "api_key",
        "role": "owner",
        "scopes": ["learnings:read", "backup"],
        "groups": [],
    }
    answer = await auth.send("DELETE", path_of(ada, made["id"]), ada.principal)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await check(auth, made["key"]) == INACTIVE
    assert not (await auth.check(bought))["active"]
    again = await auth.post("/v1/auth/token", api_key=made["key"])
    assert (again.status_code, again.json()) == (401, {"detail": "Invalid or expired token"})
    event = (await auth.events("api_key.revoked.v1"))[-1]
    assert (event["key_id"], event["org_id"]) == (made["id"], ada.claims.org)
    gone = await auth.send("DELETE", path_of(ada, made["id"]), ada.principal)
    assert (gone.status_code, gone.json()) == (404, {"detail": "Not Found"})
    listed = (await auth.send("GET", path_of(ada), ada.principal)).json()["items"]
    [shown] = [item for item in listed if item["id"] == made["id"]]
    assert shown["revoked_at"] is not None  # listed on, because it was shown since


async def test_a_key_expires_and_takes_its_tokens_along(auth: Auth, ada: Person) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=10)
    made = await create(auth, ada, expires_at=soon.isoformat())
    verdict = await check(auth, made["key"])
    assert verdict["expires_at"] == int(soon.timestamp())
    answer = (await auth.post("/v1/auth/token", api_key=made["key"])).json()
    claims = await auth.claims_of(answer["access_token"])
    assert claims.exp == int(soon.timestamp())
    assert answer["expires_in"] == claims.exp - claims.iat
    await auth.sql.execute("UPDATE auth.api_key SET expires_at = now() WHERE id = $1", made["id"])
    assert await check(auth, made["key"]) == INACTIVE


async def test_the_last_use_is_written_once_a_minute(auth: Auth, ada: Person) -> None:
    made = await create(auth, ada)
    read = "SELECT last_used_at FROM auth.api_key WHERE id = $1"
    await check(auth, made["key"])
    first = await auth.sql.fetchval(read, made["id"])
    assert first is not None
    await check(auth, made["key"])
    assert await auth.sql.fetchval(read, made["id"]) == first
    await auth.sql.execute(
        "UPDATE auth.api_key SET last_used_at = now() - interval '61 seconds' WHERE id = $1",
        made["id"],
    )
    await check(auth, made["key"])
    assert await auth.sql.fetchval(read, made["id"]) > first


async def test_a_key_follows_its_maker(auth: Auth) -> None:
    person = await auth.person()
    key = (await create(auth, person))["key"]
    await auth.sql.execute(
        "UPDATE auth.membership SET role = 'member' WHERE org_id = $1", person.claims.org
    )
    assert (await check(auth, key))["role"] == "member"
    await auth.sql.execute(
        "UPDATE auth.account SET disabled_at = now() WHERE id = $1", person.claims.sub
    )
    assert await check(auth, key) == INACTIVE
    await auth.sql.execute(
        "UPDATE auth.account SET disabled_at = NULL WHERE id = $1", person.claims.sub
    )
    await auth.sql.execute("DELETE FROM auth.membership WHERE org_id = $1", person.claims.org)
    assert await check(auth, key) == INACTIVE


async def test_another_organization_is_not_there(auth: Auth, ada: Person, grace: Person) -> None:
    made = await create(auth, grace)
    for method, path in (
        ("GET", path_of(grace)),
        ("POST", path_of(grace)),
        ("DELETE", path_of(grace, made["id"])),
        ("DELETE", path_of(ada, made["id"])),
        ("GET", "/v1/admin/organizations/org_none/api-keys"),
    ):
        answer = await auth.send(method, path, ada.principal, json={"name": "x"})
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"}), path
    assert (await check(auth, made["key"]))["active"]


async def test_a_platform_administrator_manages_every_organization(
    auth: Auth, root: Person, grace: Person
) -> None:
    answer = await auth.post(path_of(grace), root.principal, name="release bot")
    assert answer.status_code == 201
    made = answer.json()
    verdict = await check(auth, made["key"])
    assert (verdict["org_id"], verdict["role"]) == (grace.claims.org, "admin")
    answer = await auth.send("DELETE", path_of(grace, made["id"]), root.principal)
    assert answer.status_code == 204
    missing = await auth.post("/v1/admin/organizations/org_none/api-keys", root.principal, name="x")
    assert missing.status_code == 404


async def test_only_a_platform_administrator_grants_releases(auth: Auth, ada: Person) -> None:
    wanted = {"name": "release bot", "scopes": ["releases:write", "*"]}
    answer = await auth.post(path_of(ada), ada.principal, **wanted)
    assert answer.status_code == 403
    assert "releases:write" in answer.json()["detail"]
    person = await auth.make_platform_admin(await auth.person())
    key = (await create(auth, person, **wanted))["key"]
    assert (await check(auth, key))["scopes"] == ["releases:write", "*"]
    await auth.sql.execute(
        "UPDATE auth.account SET platform_admin = false WHERE id = $1", person.claims.sub
    )
    assert (await check(auth, key))["scopes"] == ["*"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scopes", []),
        ("scopes", ["learnings:read", "learnings:fly"]),
        ("scopes", "learnings:read"),
        ("scopes", None),
        ("scopes", ["*"] * 51),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("expires_at", "2030-01-01T00:00:00"),
        ("expires_at", "9999-12-31T23:59:59-12:00"),
        ("expires_at", "soon"),
        ("name", ""),
        ("name", "   "),
        ("name", "two\nlines"),
        ("name", "x" * 201),
        ("name", None),
    ],
)
async def test_a_wrong_field_is_named(auth: Auth, ada: Person, field: str, value: Any) -> None:
    answer = await auth.post(path_of(ada), ada.principal, **({"name": "ci"} | {field: value}))
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", field]


async def test_keys_and_members_open_no_admin_door(auth: Auth, ada: Person) -> None:
    claims = ada.claims
    key = Principal(Kind.API_KEY, "key_1", claims.org, "owner", ("*",), "key_1", claims.sub)
    member = Principal(Kind.USER, claims.sub, claims.org, "member", ("*",), claims.sid, claims.sub)
    for principal in (key, member):
        for method, path in (
            ("GET", path_of(ada)),
            ("POST", path_of(ada)),
            ("DELETE", path_of(ada, "key_1")),
            ("GET", "/v1/admin/users"),
            ("GET", "/v1/admin/organizations"),
        ):
            answer = await auth.send(method, path, principal, json={"name": "x"})
            assert (answer.status_code, answer.json()) == (403, {"detail": "Admin role required"})
        assert (await auth.send("GET", path_of(ada))).status_code == 401


async def test_a_key_knows_who_it_is_and_cannot_sign_out(auth: Auth, ada: Person) -> None:
    claims = ada.claims
    key = Principal(Kind.API_KEY, "key_1", claims.org, "owner", ("backup",), "key_1", claims.sub)
    me = await auth.send("GET", "/v1/auth/me", key)
    assert me.json()["id"] == claims.sub
    assert (await auth.send("POST", "/v1/auth/logout", key)).status_code == 403


@pytest.mark.parametrize("digest", ["", "zz" * 32, "AB" * 32, "0" * 63, "0" * 64 + "\n", 7])
async def test_a_digest_is_64_hex_digits(auth: Auth, digest: Any) -> None:
    answer = await auth.post("/internal/api-keys/check", GATEWAY, digest=digest)
    assert answer.status_code == 422


async def test_an_unknown_key_does_not_hold(auth: Auth) -> None:
    assert await check(auth, "trw_live_unknown") == INACTIVE
    answer = await auth.post("/v1/auth/token", api_key="trw_live_unknown")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid or expired token"})
