"""The account routes: open to a web session, but a bearer token shown there must hold."""

from __future__ import annotations

import pytest

from shared.principal import Kind
from tests.gateway.conftest import House, house

PATHS = {
    "/api/account": "auth",
    "/api/account/export": "auth",
    "/api/account/machines/x": "auth",
    "/api/account/teams": "teams",
    "/api/account/reassociate": "teams",
}
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
