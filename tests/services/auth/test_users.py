from __future__ import annotations

import asyncio

import pytest

from shared.principal import Kind, Principal
from tests.services.auth.conftest import PASSWORD, Auth, Person, new_address
from tests.services.auth.people_support import (
    BASE,
    GOOD,
    as_person,
    audit_of,
    change,
    colleague,
    log_in,
    people_of,
    remove,
)

USERS = f"{BASE}/users"


@pytest.fixture(autouse=True)
async def _forgiven(auth: Auth) -> None:
    """All tests come from one network address, whose failures count together."""
    await auth.sql.execute("DELETE FROM auth.throttle")


async def add(auth: Auth, admin: Person, **fields: object) -> tuple[int, dict[str, object]]:
    body = {"email": new_address(), "password": GOOD, "role": "member"} | fields
    answer = await auth.post(USERS, admin.principal, **body)
    return answer.status_code, answer.json()


async def test_a_new_user_can_log_in_at_once(auth: Auth) -> None:
    owner, address = await auth.person(), new_address()
    status, user = await add(auth, owner, email=address, role="admin", name="Grace")
    assert status == 200
    assert user.pop("created_at")
    account_id = user.pop("id")
    assert user == {
        "email": address,
        "role": "admin",
        "org_id": owner.claims.org,
        "org_name": "Ada Lovelace",
        "name": "Grace",
        "verified": True,
        "disabled": False,
    }
    person = await as_person(auth, await log_in(auth, address))
    assert person.claims.sub == account_id
    assert (person.claims.org, person.claims.role) == (owner.claims.org, "admin")
    organizations = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.membership WHERE account_id = $1", account_id
    )
    assert organizations == 1
    (event,) = await audit_of(auth, "user.added", str(account_id))
    assert (event["actor_id"], event["org_id"]) == (owner.claims.sub, owner.claims.org)
    joined = await auth.events("membership.changed.v1")
    assert [e["role"] for e in joined if e["account_id"] == account_id] == ["admin"]


async def test_name_and_role_may_be_left_out(auth: Auth) -> None:
    owner, address = await auth.person(), new_address()
    answer = await auth.post(USERS, owner.principal, email=address, password=GOOD)
    assert answer.json()["role"] == "member"
    assert answer.json()["name"] == address.partition("@")[0]


async def test_the_list_is_of_the_own_organization(auth: Auth, grace: Person) -> None:
    owner = await auth.person()
    members = [await colleague(auth, owner) for _ in range(3)]
    answer = await auth.send("GET", USERS, owner.principal)
    ids = [user["id"] for user in answer.json()]
    assert ids == [m.claims.sub for m in reversed(members)] + [owner.claims.sub]
    assert grace.claims.sub not in ids
    assert "password" not in answer.text
    page = await auth.send("GET", f"{USERS}?limit=2&offset=1", owner.principal)
    assert [user["id"] for user in page.json()] == ids[1:3]
    none = await auth.send("GET", f"{USERS}?limit=0", owner.principal)
    assert none.json() == []
    most = await auth.send("GET", f"{USERS}?limit=100000", owner.principal)
    assert len(most.json()) == 4


@pytest.mark.parametrize("query", ["limit=-1", "offset=-1", "limit=x", "offset=99999999999999999"])
async def test_bad_paging_is_named(auth: Auth, ada: Person, query: str) -> None:
    answer = await auth.send("GET", f"{USERS}?{query}", ada.principal)
    assert answer.status_code == 422
    path = answer.json()["error"]["details"][0]["path"]
    assert path == "query." + query.partition("=")[0]


async def test_members_and_keys_are_refused_and_it_is_written_down(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    key = Principal(
        Kind.API_KEY, "key_x", owner.claims.org, "owner", ("*",), "key_x", owner.claims.sub
    )
    for caller in (member.principal, key):
        for method, path in (
            ("GET", USERS),
            ("POST", USERS),
            ("PATCH", f"{USERS}/{owner.claims.sub}"),
            ("DELETE", f"{USERS}/{owner.claims.sub}"),
            ("POST", f"{BASE}/invites"),
            ("GET", f"{BASE}/audit"),
        ):
            answer = await auth.send(method, path, caller, json={})
            assert answer.status_code == 403, (method, path)
            assert answer.json()["type"] == "forbidden"
    assert (await auth.send("GET", USERS)).status_code == 401
    refused = await auth.sql.fetch(
        """
        SELECT detail::text FROM auth.audit_event
         WHERE actor_id = $1 AND outcome = 'refused' AND org_id = $2
        """,
        member.claims.sub,
        owner.claims.org,
    )
    assert len(refused) == 6
    assert any('"DELETE"' in row["detail"] and USERS in row["detail"] for row in refused)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"role": "owner"}, "body.role"),
        ({"role": "platform_admin"}, "body.role"),
        ({"role": 1}, "body.role"),
        ({"email": "nobody"}, "body.email"),
        ({"email": None}, "body.email"),
        ({"password": None}, "body.password"),
        ({"password": "x" * 1025}, "body.password"),
        ({"name": "two\nlines"}, "body.name"),
    ],
)
async def test_a_bad_field_is_named(
    auth: Auth, ada: Person, fields: dict[str, object], path: str
) -> None:
    status, body = await add(auth, ada, **fields)
    assert status == 422
    assert path in str(body["error"])


@pytest.mark.parametrize("password", ["seven c", "", "password1"])
async def test_a_weak_password_is_400(auth: Auth, ada: Person, password: str) -> None:
    address = new_address()
    status, _ = await add(auth, ada, email=address, password=password)
    assert status == 400
    assert not await auth.sql.fetchval("SELECT 1 FROM auth.account WHERE email = $1", address)


async def test_unknown_fields_change_nothing(auth: Auth, grace: Person) -> None:
    owner = await auth.person()
    more = {
        "id": "usr_chosen",
        "org_id": grace.claims.org,
        "platform_admin": True,
        "verified": False,
        "disabled": True,
        "plan": "beta",
        "vouched_by": None,
    }
    status, user = await add(auth, owner, **more)
    assert status == 200
    assert user["id"] != "usr_chosen"
    assert user["org_id"] == owner.claims.org
    assert user["verified"]
    assert not user["disabled"]
    row = await auth.sql.fetchrow("SELECT * FROM auth.account WHERE id = $1", user["id"])
    assert row is not None
    assert not row["platform_admin"]
    assert row["vouched_by"] == owner.claims.org


async def test_a_taken_address_is_409(auth: Auth, grace: Person) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    for address in (member.email, member.email.upper(), grace.email):
        status, body = await add(auth, owner, email=address)
        assert status == 409
        assert body["type"] == "conflict"
    assert len(await people_of(auth, owner)) == 2
    assert (await log_in(auth, grace.email, PASSWORD)).status_code == 200


async def test_two_that_make_the_same_user_at_once(auth: Auth) -> None:
    owner, address = await auth.person(), new_address()
    answers = await asyncio.gather(*(add(auth, owner, email=address) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 7


async def test_an_unverified_registration_is_taken_over(auth: Auth) -> None:
    owner, address = await auth.person(), new_address()
    await auth.register(address, password="the stranger's password")
    token = await auth.token_for(address)
    status, _ = await add(auth, owner, email=address)
    assert status == 200
    assert (await log_in(auth, address, "the stranger's password")).status_code == 401
    assert (await auth.post("/v1/auth/verify-email", token=token)).status_code == 400
    assert (await log_in(auth, address)).status_code == 200


async def test_a_role_changes_at_once(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    answer = await change(auth, owner, member, role="admin")
    assert (answer.status_code, answer.json()["role"]) == (200, "admin")
    assert (await auth.check(member))["role"] == "admin"
    assert (await change(auth, owner, member, role="member")).json()["role"] == "member"
    assert (await auth.check(member))["role"] == "member"
    told = [
        event
        for event in await auth.events("membership.changed.v1")
        if event["account_id"] == member.claims.sub
    ]
    assert [event["role"] for event in told] == ["member", "admin", "member"]
    versions = [event["version"] for event in told]
    assert versions == sorted(set(versions))
    events = await audit_of(auth, "user.changed", member.claims.sub)
    assert [event["detail"] for event in events] == ['{"role": "admin"}', '{"role": "member"}']


async def test_an_empty_change_changes_nothing(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    before = (await people_of(auth, owner))[member.claims.sub]
    assert (await change(auth, owner, member)).json() == before
    assert (await change(auth, owner, member, role=None, disabled=None)).json() == before
    echo = before | {"id": "usr_x", "org_id": "org_x", "email": "x@mail.example"}
    assert (await change(auth, owner, member, **echo)).json() == before


async def test_a_disabled_user_is_out_at_once(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    answer = await change(auth, owner, member, disabled=True)
    assert answer.json()["disabled"]
    assert not (await auth.check(member))["active"]
    assert (await log_in(auth, member.email)).status_code == 401
    assert member.claims.sub in {e["account_id"] for e in await auth.events("account.disabled.v1")}
    assert member.claims.sid in {e["session_id"] for e in await auth.events("session.revoked.v1")}
    answer = await change(auth, owner, member, disabled=False)
    assert not answer.json()["disabled"]
    assert not (await auth.check(member))["active"], "an ended session stays so"
    assert (await log_in(auth, member.email)).status_code == 200


async def test_disabling_reaches_no_further_than_the_own_organization(
    auth: Auth, grace: Person
) -> None:
    owner = await auth.person()
    await auth.sql.execute(
        "INSERT INTO auth.membership (org_id, account_id, role) VALUES ($1, $2, 'member')",
        owner.claims.org,
        grace.claims.sub,
    )
    for fields in ({"disabled": True}, {"name": "Somebody Else"}):
        answer = await change(auth, owner, grace, **fields)
        assert answer.status_code == 409
    assert (await auth.check(grace))["active"]
    assert (await change(auth, owner, grace, role="admin")).status_code == 200
    assert (await remove(auth, owner, grace)).status_code == 200
    assert (await auth.check(grace))["active"], "their own organization is none of ours"


async def test_a_name_can_be_changed(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    answer = await change(auth, owner, member, name="  New Name ")
    assert answer.json()["name"] == "New Name"


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "owner"},
        {"role": "platform_admin"},
        {"disabled": "yes"},
        {"disabled": 1},
        {"name": ""},
        {"name": "x" * 201},
    ],
)
async def test_a_bad_change_is_422(auth: Auth, fields: dict[str, object]) -> None:
    owner = await auth.person()
    answer = await change(auth, owner, owner, **fields)
    assert answer.status_code == 422
    assert next(iter(fields)) in answer.json()["error"]["details"][0]["path"]


async def test_another_organizations_user_is_404(auth: Auth, ada: Person, grace: Person) -> None:
    for whom in (grace.claims.sub, "usr_nobody", "x" * 5000):
        assert (await change(auth, ada, whom, role="admin")).status_code == 404
        answer = await auth.send("DELETE", f"{USERS}/{whom}", ada.principal)
        assert answer.status_code == 404
        assert answer.json()["type"] == "not_found"
    assert (await auth.check(grace))["active"]


async def test_a_removed_user_is_out_at_once(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner, "admin")
    made = await auth.post(
        f"/v1/admin/organizations/{owner.claims.org}/api-keys", member.principal, name="mine"
    )
    key = made.json()["key"]
    answer = await remove(auth, owner, member)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert member.claims.sub not in await people_of(auth, owner)
    assert not (await auth.check(member))["active"]
    assert (await log_in(auth, member.email)).status_code == 401
    assert (await auth.post("/v1/auth/token", api_key=key)).status_code == 401
    assert (await remove(auth, owner, member)).status_code == 404
    left = (await auth.events("membership.changed.v1"))[-1]
    assert (left["account_id"], left["role"]) == (member.claims.sub, "")
    assert member.claims.sid in {e["session_id"] for e in await auth.events("session.revoked.v1")}
    assert made.json()["id"] in {e["key_id"] for e in await auth.events("api_key.revoked.v1")}
    assert len(await audit_of(auth, "user.removed", member.claims.sub)) == 1


async def test_a_removed_user_comes_back_new(auth: Auth) -> None:
    owner = await auth.person()
    member = await colleague(auth, owner)
    await remove(auth, owner, member)
    status, user = await add(
        auth, owner, email=member.email, password="another pass phrase", role="admin"
    )
    assert (status, user["role"], user["disabled"]) == (200, "admin", False)
    assert (await log_in(auth, member.email)).status_code == 401
    assert (await log_in(auth, member.email, "another pass phrase")).status_code == 200
    assert not (await auth.check(member))["active"], "the old session stays ended"


async def test_nobody_elses_removed_user_can_be_taken(auth: Auth) -> None:
    owner, stranger = await auth.person(), await auth.person("Stranger")
    member = await colleague(auth, owner)
    await remove(auth, owner, member)
    status, _ = await add(auth, stranger, email=member.email)
    assert status == 409


async def test_who_belongs_elsewhere_goes_on_there(auth: Auth) -> None:
    owner, other = await auth.person(), await auth.person("Other")
    member = await colleague(auth, owner)
    await auth.sql.execute(
        "INSERT INTO auth.membership (org_id, account_id, role) VALUES ($1, $2, 'member')",
        other.claims.org,
        member.claims.sub,
    )
    assert (await remove(auth, owner, member)).status_code == 200
    again = await as_person(auth, await log_in(auth, member.email))
    assert again.claims.org == other.claims.org
