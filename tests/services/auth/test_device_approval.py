"""Approving devices over the API (learnings contract, section 3.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shared.principal import Kind, Principal
from tests.services.auth.conftest import Auth, Person
from tests.services.auth.device_support import approve, begin, expire, new_client, new_machine, poll

WRONG = {"detail": "Unknown or expired code"}


async def second_organization(auth: Auth, person: Person, name: str = "Second") -> str:
    org_id = f"org_{person.claims.sub[4:]}2"
    await auth.sql.execute(
        "INSERT INTO auth.organization (id, name, slug) VALUES ($1, $2, lower($1))", org_id, name
    )
    await auth.sql.execute(
        "INSERT INTO auth.membership (org_id, account_id, role) VALUES ($1, $2, 'member')",
        org_id,
        person.claims.sub,
    )
    return org_id


@pytest.mark.parametrize("form", [str.lower, lambda code: code.replace("-", ""), "  {} ".format])
async def test_a_code_is_taken_as_typed(
    auth: Auth, ada: Person, form: Callable[[str], str]
) -> None:
    code = await begin(auth)
    answer = await approve(auth, ada.principal, form(code["user_code"]), new_client())
    assert answer.json() == {"approved": True}


async def test_the_person_chooses_among_their_organizations(auth: Auth) -> None:
    person = await auth.person()
    second = await second_organization(auth, person)
    code = await begin(auth)
    await approve(auth, person.principal, code["user_code"], org_id=second)
    given = (await poll(auth, code)).json()
    assert [one["id"] for one in given["organizations"]] == [second]
    assert given["org_name"] == "Second"


async def test_anothers_organization_is_not_found(auth: Auth, ada: Person, grace: Person) -> None:
    code = await begin(auth)
    for org_id in (grace.claims.org, "org_nowhere"):
        answer = await approve(auth, ada.principal, code["user_code"], org_id=org_id)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert (await poll(auth, code)).json()["error"] == "authorization_pending"


async def test_approving_again_changes_nothing(auth: Auth, ada: Person) -> None:
    code = await begin(auth)
    for _ in range(3):
        answer = await approve(auth, ada.principal, code["user_code"])
        assert answer.json() == {"approved": True}
    denied = await approve(auth, ada.principal, code["user_code"], deny=True)
    assert denied.status_code == 409
    assert (await poll(auth, code)).status_code == 200


async def test_denying_is_final(auth: Auth, ada: Person) -> None:
    code = await begin(auth)
    for _ in range(2):
        answer = await approve(auth, ada.principal, code["user_code"], deny=True)
        assert answer.json() == {"denied": True}
    assert (await approve(auth, ada.principal, code["user_code"])).status_code == 409
    assert (await poll(auth, code)).json()["error"] == "access_denied"


async def test_what_somebody_else_decided_is_unknown(
    auth: Auth, ada: Person, grace: Person
) -> None:
    code = await begin(auth)
    await approve(auth, ada.principal, code["user_code"])
    answer = await approve(auth, grace.principal, code["user_code"], new_client())
    assert (answer.status_code, answer.json()) == (400, WRONG)
    assert (await poll(auth, code)).json()["user_email"] == ada.email


async def test_of_two_people_at_once_one_approves(auth: Auth, ada: Person, grace: Person) -> None:
    code = await begin(auth)
    answers = await asyncio.gather(
        approve(auth, ada.principal, code["user_code"], new_client()),
        approve(auth, grace.principal, code["user_code"], new_client()),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    winner = ada if answers[0].status_code == 200 else grace
    assert (await poll(auth, code)).json()["user_email"] == winner.email


async def test_only_a_person_approves(auth: Auth, ada: Person) -> None:
    code = (await begin(auth))["user_code"]
    by_key = Principal(
        Kind.API_KEY, "key_1", ada.claims.org, "owner", ("*",), "key_1", ada.claims.sub
    )
    for principal in (by_key, new_machine(), Principal(Kind.SERVICE_ACCOUNT, "sa", scopes=("*",))):
        assert (await approve(auth, principal, code)).status_code == 403
        pending = await auth.send("GET", "/v1/auth/device/pending?user_code=" + code, principal)
        assert pending.status_code == 403
    assert (await auth.post("/v1/auth/device/approve", user_code=code)).status_code == 401


async def test_one_who_is_no_member_any_more_approves_nothing(auth: Auth) -> None:
    person = await auth.person()
    code = await begin(auth)
    await auth.sql.execute("DELETE FROM auth.membership WHERE account_id = $1", person.claims.sub)
    assert (await approve(auth, person.principal, code["user_code"])).status_code == 404


@pytest.mark.parametrize("body", [{}, {"user_code": None}, {"user_code": ["A"]}])
async def test_a_body_without_a_code_names_it(auth: Auth, ada: Person, body: object) -> None:
    answer = await auth.send("POST", "/v1/auth/device/approve", ada.principal, json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "user_code"]


async def test_the_sixth_wrong_code_is_429_and_right_ones_wait_too(auth: Auth) -> None:
    person, code = await auth.person(), await begin(auth)
    for typed in ("AAAA-AAAA", "nonsense", "BBBB-BBBB", "", "CCCC-CCCC"):
        answer = await approve(auth, person.principal, typed, new_client())
        assert (answer.status_code, answer.json()) == (400, WRONG)
    for typed in ("DDDD-DDDD", code["user_code"]):
        answer = await approve(auth, person.principal, typed, new_client())
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 900
    answer = await auth.send(
        "GET", f"/v1/auth/device/pending?user_code={code['user_code']}", person.principal
    )
    assert answer.status_code == 429
    assert (await poll(auth, code)).json()["error"] == "authorization_pending"


async def test_of_fifty_wrong_codes_at_once_five_are_answered(auth: Auth) -> None:
    person, client = await auth.person(), new_client()
    answers = await asyncio.gather(
        *(approve(auth, person.principal, f"AAAA-{n:04}", client) for n in range(50))
    )
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {400, 429}
    assert statuses.count(400) <= 5


async def test_a_right_code_forgives_no_wrong_one(auth: Auth) -> None:
    person = await auth.person()
    for _ in range(5):
        wrong = await approve(auth, person.principal, "AAAA-AAAA", new_client())
        assert wrong.status_code == 400
        code = await auth.sql.fetchval(
            "SELECT failures FROM auth.throttle t WHERE bucket = 'user_code.account'"
            " AND key = sha256($1::text::bytea)",
            person.claims.sub,
        )
        if code < 5:
            right = await begin(auth)
            answer = await approve(auth, person.principal, right["user_code"], new_client())
            assert answer.status_code == 200
    assert (await approve(auth, person.principal, "AAAA-AAAA", new_client())).status_code == 429


async def test_wrong_codes_of_others_do_not_count(auth: Auth, ada: Person) -> None:
    other = await auth.person()
    for _ in range(6):
        await approve(auth, other.principal, "AAAA-AAAA", new_client())
    code = await begin(auth)
    answer = await approve(auth, ada.principal, code["user_code"], new_client())
    assert answer.status_code == 200


async def test_pending_shows_what_asks(auth: Auth, ada: Person) -> None:
    code = await begin(
        auth, "trw-cli", **{"user-agent": "trw/9 (linux)", "x-guildhall-client": "192.0.2.7"}
    )
    answer = await auth.send(
        "GET", f"/v1/auth/device/pending?user_code={code['user_code'].lower()}", ada.principal
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.pop("created_at") < body.pop("expires_at")
    assert body == {
        "kind": "api_key",
        "status": "pending",
        "user_code": code["user_code"],
        "client_name": "trw-cli",
        "machine_token": None,
        "client": "192.0.2.7",
        "user_agent": "trw/9 (linux)",
    }
    await expire(auth, code["user_code"])
    gone = await auth.send(
        "GET", f"/v1/auth/device/pending?user_code={code['user_code']}", ada.principal
    )
    assert (gone.status_code, gone.json()) == (400, WRONG)


async def test_decisions_and_wrong_codes_are_in_the_audit_log(auth: Auth) -> None:
    person = await auth.person()
    allowed, denied = await begin(auth), await begin(auth)
    await approve(auth, person.principal, allowed["user_code"])
    await approve(auth, person.principal, denied["user_code"], deny=True)
    await approve(auth, person.principal, "AAAA-AAAA", new_client())
    rows = await auth.sql.fetch(
        "SELECT action, outcome, org_id, target FROM auth.audit_event"
        " WHERE actor_id = $1 AND action LIKE 'device_login.%' ORDER BY id",
        person.claims.sub,
    )
    org = person.claims.org
    assert [tuple(row) for row in rows] == [
        ("device_login.approved", "done", org, "trw-cli"),
        ("device_login.denied", "done", org, "trw-cli"),
        ("device_login.approved", "refused", org, ""),
    ]
    for row in rows:
        assert "AAAA" not in row["target"]
