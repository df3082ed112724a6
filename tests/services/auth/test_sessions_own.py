"""A person looks after their own sessions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from shared.principal import CLIENT_HEADER, Kind, Principal
from tests.services.auth.conftest import PASSWORD, Auth, Person


async def sessions_of(auth: Auth, person: Person, **query: Any) -> dict[str, Any]:
    answer = await auth.send("GET", "/v1/auth/sessions", person.principal, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_person_sees_their_sessions_newest_first(auth: Auth, grace: Person) -> None:
    person = await auth.person()
    body = {"email": person.email, "password": PASSWORD}
    headers = {CLIENT_HEADER: "203.0.113.7", "user-agent": "curl/8\u00e9".encode("latin-1")}
    token = (await auth.send("POST", "/v1/auth/token", json=body, headers=headers)).json()
    newest = Person(person.email, "", await auth.claims_of(token["access_token"]))
    page = await sessions_of(auth, person)
    assert page.keys() == {"items", "total", "page", "page_size"}
    assert [item["id"] for item in page["items"]] == [newest.claims.sid, person.claims.sid]
    assert [item["current"] for item in page["items"]] == [False, True]
    item = page["items"][0]
    assert item.keys() == {
        "id",
        "kind",
        "created_at",
        "last_used_at",
        "expires_at",
        "client",
        "user_agent",
        "current",
    }
    assert (item["kind"], item["client"]) == ("api", "203.0.113.7")
    assert item["user_agent"].startswith("curl/8")
    assert item["expires_at"].endswith("Z")
    second = await sessions_of(auth, person, page=2, page_size=1)
    assert [item["id"] for item in second["items"]] == [person.claims.sid]
    assert second["total"] == 2
    others = {item["id"] for item in (await sessions_of(auth, grace))["items"]}
    assert newest.claims.sid not in others
    for query in ({"page": 0}, {"page_size": 201}, {"page": "x"}):
        answer = await auth.send("GET", "/v1/auth/sessions", person.principal, params=query)
        assert answer.status_code == 422


async def test_sessions_that_are_over_are_not_listed(auth: Auth) -> None:
    person = await auth.person()
    ended, expired = await auth.sign_in(person.email), await auth.sign_in(person.email)
    await auth.post("/v1/auth/logout", ended.principal)
    await auth.sql.execute(
        "UPDATE auth.session SET expires_at = now() WHERE id = $1", expired.claims.sid
    )
    page = await sessions_of(auth, person)
    assert ([item["id"] for item in page["items"]], page["total"]) == ([person.claims.sid], 1)


async def test_a_person_ends_one_of_their_sessions(auth: Auth, grace: Person) -> None:
    person = await auth.person()
    other = await auth.sign_in(person.email)
    path = f"/v1/auth/sessions/{other.claims.sid}"
    foreign = await auth.send("DELETE", path, grace.principal)
    assert (foreign.status_code, foreign.json()) == (404, {"detail": "Not Found"})
    assert (await auth.check(other))["active"]
    answer = await auth.send("DELETE", path, person.principal)
    assert (answer.status_code, answer.content) == (204, b"")
    assert not (await auth.check(other))["active"]
    assert (await auth.check(person))["active"]
    said = [event["session_id"] for event in await auth.events("session.revoked.v1")]
    assert said.count(other.claims.sid) == 1
    for name in (other.claims.sid, "ses_none", "key_1"):
        again = await auth.send("DELETE", f"/v1/auth/sessions/{name}", person.principal)
        assert (again.status_code, again.json()) == (404, {"detail": "Not Found"})
    detail = await auth.sql.fetchval(
        "SELECT detail FROM auth.audit_event WHERE action = 'session.ended' AND target = $1",
        other.claims.sid,
    )
    assert json.loads(detail) == {"reason": "ended_by_owner"}


async def test_a_person_ends_all_their_other_sessions(auth: Auth) -> None:
    person = await auth.person()
    others = [await auth.sign_in(person.email) for _ in range(3)]
    answer = await auth.send("DELETE", "/v1/auth/sessions", person.principal)
    assert (answer.status_code, answer.json()) == (200, {"ended": 3})
    assert (await auth.check(person))["active"]
    for other in others:
        assert not (await auth.check(other))["active"]
    answer = await auth.send("DELETE", "/v1/auth/sessions", person.principal)
    assert answer.json() == {"ended": 0}


async def test_a_session_is_ended_once_by_many(auth: Auth) -> None:
    person = await auth.person()
    others = [await auth.sign_in(person.email) for _ in range(4)]
    path = f"/v1/auth/sessions/{others[0].claims.sid}"
    answers = await asyncio.gather(
        *(auth.send("DELETE", path, person.principal) for _ in range(25)),
        *(auth.send("DELETE", "/v1/auth/sessions", person.principal) for _ in range(25)),
    )
    ended = [answer.json()["ended"] for answer in answers[25:]]
    ones = [answer.status_code for answer in answers[:25]]
    assert ones.count(204) + sum(ended) == 4
    said = [event["session_id"] for event in await auth.events("session.revoked.v1")]
    assert all(said.count(other.claims.sid) == 1 for other in others)


async def test_keys_have_no_sessions_to_look_after(auth: Auth, ada: Person) -> None:
    claims = ada.claims
    key = Principal(Kind.API_KEY, "key_1", claims.org, "owner", ("*",), "key_1", claims.sub)
    for method, path in (
        ("GET", "/v1/auth/sessions"),
        ("DELETE", "/v1/auth/sessions"),
        ("DELETE", f"/v1/auth/sessions/{claims.sid}"),
    ):
        assert (await auth.send(method, path, key)).status_code == 403
        assert (await auth.send(method, path)).status_code == 401
    assert (await auth.check(ada))["active"]
