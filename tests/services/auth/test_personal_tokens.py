"""Personal API tokens (runs contract, section 3.2)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.principal import Kind, Principal
from tests.services.auth.conftest import Auth, Person
from tests.services.auth.test_api_keys import INACTIVE, check, create, path_of

PATH = "/api/v1/auth/tokens"


async def make(auth: Auth, person: Person, **fields: Any) -> dict[str, Any]:
    answer = await auth.post(PATH, person.principal, **fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made: dict[str, Any] = answer.json()
    return made


async def test_a_token_is_shown_once(auth: Auth, ada: Person) -> None:
    made = await make(auth, ada, name=" laptop ")
    assert made.keys() == {"id", "name", "token", "created_at", "expires_at", "scopes"}
    assert re.fullmatch(r"tw_[A-Za-z0-9_-]{43}", made["token"])
    assert (made["name"], made["expires_at"], made["scopes"]) == ("laptop", None, ["*"])
    answer = await auth.send("GET", PATH, ada.principal)
    assert answer.status_code == 200
    item = next(item for item in answer.json() if item["id"] == made["id"])
    assert item == {
        "id": made["id"],
        "name": "laptop",
        "prefix": made["token"][:9],
        "created_at": made["created_at"],
        "last_used_at": None,
        "expires_at": None,
        "scopes": ["*"],
    }
    assert made["token"] not in answer.text
    assert made["token"] not in str(await auth.sql.fetch("SELECT * FROM auth.api_key"))
    verdict = await check(auth, made["token"])
    assert (verdict["account_id"], verdict["org_id"]) == (ada.claims.sub, ada.claims.org)
    answer = await auth.send("GET", PATH, ada.principal)
    item = next(item for item in answer.json() if item["id"] == made["id"])
    assert item["last_used_at"] is not None
    events = [event["key_id"] for event in await auth.events("api_key.created.v1")]
    assert events.count(made["id"]) == 1


async def test_everything_may_be_left_out(auth: Auth, ada: Person) -> None:
    for answer in (
        await auth.send("POST", PATH, ada.principal),
        await auth.post(PATH, ada.principal, name=None, expires_in_days=None),
    ):
        assert answer.status_code == 200
        assert answer.json()["name"] == "API token"


async def test_a_token_may_expire_and_be_narrow(auth: Auth, ada: Person) -> None:
    made = await make(auth, ada, expires_in_days=7, scopes=["runs:read", "runs:write"])
    life = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert life == timedelta(days=7)
    verdict = await check(auth, made["token"])
    assert verdict["scopes"] == ["runs:read", "runs:write"]
    assert verdict["expires_at"] == int(datetime.fromisoformat(made["expires_at"]).timestamp())
    await auth.sql.execute("UPDATE auth.api_key SET expires_at = now() WHERE id = $1", made["id"])
    assert await check(auth, made["token"]) == INACTIVE


async def test_a_revoked_token_is_dead_at_once(auth: Auth, ada: Person, grace: Person) -> None:
    made = await make(auth, ada)
    path = f"{PATH}/{made['id']}"
    foreign = await auth.send("DELETE", path, grace.principal)
    assert foreign.status_code == 404
    assert foreign.json()["type"] == "not_found"
    assert (await check(auth, made["token"]))["active"]
    answer = await auth.send("DELETE", path, ada.principal)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert await check(auth, made["token"]) == INACTIVE
    event = (await auth.events("api_key.revoked.v1"))[-1]
    assert (event["key_id"], event["org_id"]) == (made["id"], ada.claims.org)
    assert (await auth.send("DELETE", path, ada.principal)).status_code == 404
    ids = [item["id"] for item in (await auth.send("GET", PATH, ada.principal)).json()]
    assert made["id"] not in ids
    rows = await auth.sql.fetch(
        "SELECT action FROM auth.audit_event WHERE target = $1 ORDER BY id", made["id"]
    )
    assert [row["action"] for row in rows] == ["api_key.created", "api_key.revoked"]


async def test_a_person_sees_their_own_alone_newest_first(auth: Auth, grace: Person) -> None:
    person = await auth.person()
    made = [(await make(auth, person, name=str(n)))["id"] for n in range(3)]
    key = await create(auth, person)
    foreign = (await make(auth, grace))["id"]
    listed = (await auth.send("GET", PATH, person.principal)).json()
    assert [item["id"] for item in listed] == made[::-1]
    assert key["id"] not in made
    assert foreign not in made
    query = {"limit": 1, "offset": 1}
    page = (await auth.send("GET", PATH, person.principal, params=query)).json()
    assert [item["id"] for item in page] == [made[1]]
    for bad in ({"limit": -1}, {"offset": -1}, {"limit": "x"}):
        answer = await auth.send("GET", PATH, person.principal, params=bad)
        assert answer.status_code == 422
    # An organization's key is no personal token, though it is the same person's.
    assert (await auth.send("DELETE", f"{PATH}/{key['id']}", person.principal)).status_code == 404
    # Whoever administers the organization sees the tokens that open it.
    kinds = {
        item["id"]: item["kind"]
        for item in (await auth.send("GET", path_of(person), person.principal)).json()["items"]
    }
    assert {kinds[one] for one in made} == {"personal"}


async def test_a_token_of_a_member_is_a_members(auth: Auth, grace: Person) -> None:
    person = await auth.person()
    await auth.sql.execute(
        "INSERT INTO auth.membership (org_id, account_id, role) VALUES ($1, $2, 'member')",
        grace.claims.org,
        person.claims.sub,
    )
    claims = person.claims
    guest = Principal(
        Kind.USER, claims.sub, grace.claims.org, "member", ("*",), claims.sid, claims.sub
    )
    await auth.sql.execute(
        "UPDATE auth.session SET org_id = $1 WHERE id = $2", grace.claims.org, claims.sid
    )
    # Nothing of the body decides whose it is, or what it may.
    mass = {"role": "admin", "org_id": "org_x", "account_id": "usr_x", "kind": "device", "id": "k"}
    answer = await auth.post(PATH, guest, **mass)
    verdict = await check(auth, answer.json()["token"])
    assert (verdict["role"], verdict["org_id"]) == ("member", grace.claims.org)
    assert verdict["account_id"] == claims.sub
    await auth.sql.execute(
        "DELETE FROM auth.membership WHERE org_id = $1 AND account_id = $2",
        grace.claims.org,
        claims.sub,
    )
    assert await check(auth, answer.json()["token"]) == INACTIVE


async def test_keys_make_no_tokens(auth: Auth, ada: Person) -> None:
    claims = ada.claims
    key = Principal(Kind.API_KEY, "key_1", claims.org, "owner", ("*",), "key_1", claims.sub)
    for method, path in (("POST", PATH), ("GET", PATH), ("DELETE", f"{PATH}/key_1")):
        answer = await auth.send(method, path, key)
        assert answer.status_code == 403
        assert answer.json()["type"] == "forbidden"
        answer = await auth.send(method, path)
        assert answer.status_code == 401


async def test_only_a_platform_administrator_grants_releases(
    auth: Auth, ada: Person, root: Person
) -> None:
    wanted = {"scopes": ["releases:write"]}
    assert (await auth.send("POST", PATH, ada.principal, json=wanted)).status_code == 403
    made = await make(auth, root, **wanted)
    assert (await check(auth, made["token"]))["scopes"] == ["releases:write"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "two\nlines"),
        ("name", "x" * 201),
        ("name", 7),
        ("expires_in_days", 0),
        ("expires_in_days", -1),
        ("expires_in_days", 3651),
        ("expires_in_days", 1.5),
        ("expires_in_days", "7"),
        ("expires_in_days", True),
        ("scopes", []),
        ("scopes", ["runs:fly"]),
        ("scopes", "runs:read"),
        ("scopes", None),
    ],
)
async def test_a_wrong_field_is_named(auth: Auth, ada: Person, field: str, value: Any) -> None:
    answer = await auth.post(PATH, ada.principal, **{field: value})
    assert answer.status_code == 422
    assert answer.json()["type"] == "validation_error"
    assert answer.json()["error"]["details"][0]["path"].startswith(f"body.{field}")
