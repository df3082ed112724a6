"""The public health check and version (agents contract, section 3), and unknown paths."""

from __future__ import annotations

import pytest

from shared import VERSION
from shared.db import Database
from shared.principal import ANONYMOUS
from tests.services.agents.conftest import Agents, running
from tests.support.postgres import DatabaseServer


async def test_anybody_may_ask_whether_it_works(agents: Agents) -> None:
    answer = await agents.get("health", ANONYMOUS)
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_without_a_database_it_says_so(database_server: DatabaseServer) -> None:
    async with database_server.clone() as urls, running(urls) as agents:
        await agents.resources[Database].close()
        answer = await agents.get("health", ANONYMOUS)
    assert answer.status_code == 503
    body = answer.json()
    assert body["message"] == body["error"]["message"] == "The database cannot be reached"


async def test_anybody_may_ask_for_the_version(agents: Agents) -> None:
    for path in ("version", "/api/v0/version/"):
        answer = await agents.get(path, ANONYMOUS)
        assert (answer.status_code, answer.json()) == (200, {"version": VERSION, "api": "v0"})


@pytest.mark.parametrize("path", ["spaces", "secrets/x", "builds", "", "/api/v0/"])
async def test_what_is_not_served_is_not_found_in_the_surfaces_own_shape(
    agents: Agents, path: str
) -> None:
    answer = await agents.get(path, await agents.robot("admin"))
    assert answer.status_code == 404
    body = answer.json()
    assert body["error"]["code"] == "NOT_FOUND"
    assert body["message"] == body["error"]["message"]


async def test_another_method_names_those_that_are_there(agents: Agents) -> None:
    answer = await agents.delete("version", await agents.robot("admin"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
