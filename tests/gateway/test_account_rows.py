"""The account routes: open to a web session, but a bearer token shown there must hold.

One of them is signed by a machine, and its person is the teams service's to look at.
"""

from __future__ import annotations

import pytest

from shared.principal import Kind
from tests.gateway.conftest import House, house
from tests.gateway.fake_service import answering, plain
from tests.gateway.machines import Machine

PATHS = {
    "/api/account": "auth",
    "/api/account/export": "auth",
    "/api/account/machines/x": "auth",
    "/api/account/teams": "teams",
}
REASSOCIATE = "/api/account/reassociate"
ADA = Machine(bytes(range(32)))
REFUSED = {"error": "unauthorized", "reason": "missing or invalid token"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers", [{}, {"cookie": "session=x"}, {"authorization": "Basic dXNlcjpwYXNz"}]
)
async def test_open_without_a_bearer(home: House, path: str, headers: dict[str, str]) -> None:
    answer = await home.client.get(path, headers=headers)
    assert answer.status_code == 200
    assert home.principal(PATHS[path]).is_anonymous
    assert home.services[PATHS[path]].asked[-1].header("cookie") == headers.get("cookie", "")


@pytest.mark.parametrize("path", PATHS)
async def test_person_and_key_are_known(home: House, path: str) -> None:
    for token, kind in ((home.auth.token(), Kind.USER), (home.auth.api_key(), Kind.API_KEY)):
        answer = await home.client.get(path, headers=home.bearer(token))
        assert answer.status_code == 200
        assert home.principal(PATHS[path]).kind is kind


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bearer", ["", " noise", " noise more", " trw_live_unknown"])
async def test_bad_bearer_is_refused(home: House, path: str, bearer: str) -> None:
    headers = {"authorization": f"Bearer{bearer}", "cookie": "session=x"}
    answer = await home.client.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == REFUSED
    assert answer.headers["x-pii-access"] == "true"
    assert not any(service.asked for service in home.services.values() if service != home.auth)


async def test_two_credentials_are_none(home: House) -> None:
    given = [("authorization", f"Bearer {home.auth.token()}")] * 2
    assert (await home.client.get("/api/account", headers=given)).status_code == 401


async def test_auth_that_is_away_makes_nobody_anonymous() -> None:
    async with house() as home:
        token = home.auth.token()
        await home.auth.stop()
        answer = await home.client.get("/api/account/teams", headers=home.bearer(token))
        assert answer.status_code == 503
        assert answer.json() == {"error": "service temporarily unavailable"}
        assert int(answer.headers["retry-after"]) >= 1
        assert (await home.client.get("/api/account/teams")).status_code == 200


async def test_what_the_service_says_of_it_passes(home: House) -> None:
    said = plain(401, b"{}", "x-pii-access: true", "content-type: application/json")
    home.services["teams"].behave = answering(said)
    answer = await home.client.get("/api/account/teams", headers={"cookie": "session=x"})
    assert (answer.status_code, answer.headers["x-pii-access"]) == (401, "true")
    assert answer.headers["cache-control"] == "no-store"


# Session and signature.


async def test_reassociation_is_of_a_machine_and_shows_the_person(home: House) -> None:
    body = ADA.body(new_token=Machine().token) + b" \n"
    for person in (
        {"cookie": "a=b; session=x"},
        home.bearer(),
        {"authorization": "Bearer noise", "cookie": "session=x"},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {},
    ):
        given = ADA.headers("POST", REASSOCIATE, body) | person
        answer = await home.client.post(f"{REASSOCIATE}?x=%2f", content=body, headers=given)
        assert answer.status_code == 200, answer.text
        asked = home.services["teams"].asked[-1]
        assert (asked.target, asked.body) == (f"{REASSOCIATE}?x=%2f", body)
        principal = home.principal("teams")
        assert (principal.kind, principal.subject) == (Kind.MACHINE, ADA.token)
        for name in ("authorization", "cookie"):
            assert asked.header(name) == person.get(name, "")
    assert home.auth.looked_up == [], "the person is not judged here"


@pytest.mark.parametrize("credential", ["none", "person", "cookie", "wrong signature"])
async def test_reassociation_without_a_signature(home: House, credential: str) -> None:
    body = ADA.body(new_token=Machine().token)
    given = {
        "none": {},
        "person": home.bearer(),
        "cookie": {"cookie": "session=x"},
        "wrong signature": ADA.headers("POST", REASSOCIATE, body + b" ") | home.bearer(),
    }[credential]
    answer = await home.client.post(REASSOCIATE, content=body, headers=given)
    assert answer.status_code == 401
    reasons = ("missing or invalid signature header", "signature verification failed")
    assert answer.json() == {"error": "unauthorized", "reason": reasons[credential[:5] == "wrong"]}
    assert not home.services["teams"].asked


async def test_other_rows_show_no_authorization(home: House) -> None:
    target = f"/api/teams/{ADA.token}"
    await home.client.get(target, headers=ADA.headers("GET", target) | home.bearer())
    await home.client.get("/api/account/teams", headers=home.bearer())
    assert len(home.services["teams"].asked) == 2
    assert not any(asked.header("authorization") for asked in home.services["teams"].asked)


async def test_reassociations_are_counted_by_machine_and_apart() -> None:
    rates = "account=2/3600 signed=1/3600 failed_signature=1/3600"
    async with house(rate_limits=rates) as home:
        found = []
        for machine in (ADA, ADA, ADA, Machine()):
            body = machine.body()
            given = machine.headers("POST", REASSOCIATE, body)
            answer = await home.client.post(REASSOCIATE, content=body, headers=given)
            found.append(answer.status_code)
        assert found == [200, 200, 429, 200]
        bad = [(await home.client.post(REASSOCIATE, json={})).status_code for _ in range(2)]
        assert bad == [401, 429]
        refused = await home.client.post(REASSOCIATE, json={})
        assert refused.headers["x-pii-access"] == "true"
        other = await home.client.post("/api/teams", json={})
        assert "x-pii-access" not in other.headers
