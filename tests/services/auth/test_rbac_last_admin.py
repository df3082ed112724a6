"""Somebody who holds everything is always left (agents contract, sections 7 and 9)."""

from __future__ import annotations

import asyncio

import pytest

from tests.services.auth.agents_support import (
    ACCOUNTS,
    BINDINGS,
    EVERYTHING,
    ROLES,
    rule,
    running_agents,
)
from tests.support.postgres import DatabaseUrls

LAST = "The last administrator cannot be removed"


async def test_the_last_administrator_stays(
    database_urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with running_agents(database_urls, tmp_path_factory.mktemp("data")) as agents:
        (binding,) = (await agents.get(f"{BINDINGS}?role_name=admin")).json()
        attempts = [
            agents.delete(f"{ACCOUNTS}/admin"),
            agents.delete(f"{ACCOUNTS}/current-user"),
            agents.put(f"{ACCOUNTS}/admin", {"active": False}),
            agents.delete(f"{ROLES}/admin"),
            agents.delete(f"{BINDINGS}/{binding['id']}"),
            agents.delete(f"{BINDINGS}/admin"),
        ]
        for attempt in attempts:
            answer = await attempt
            assert (answer.status_code, answer.json()["message"]) == (409, LAST)
        assert await agents.holds(agents.admin)
        # Whoever holds everything in one namespace, or is inactive, or is no account, is none.
        local, idle = await agents.account(), await agents.account()
        await agents.bind("admin", local["user"], "acme")
        await agents.bind("admin", idle["user"])
        await agents.put(f"{ACCOUNTS}/{idle['id']}", {"active": False})
        await agents.bind("admin", "nobody-yet")
        await agents.bind("admin", "oidc:ada", kind="Subject")
        await agents.bind("admin", "everybody", kind="Group")
        named = await agents.role(EVERYTHING | {"resource_names": ["a"]})
        await agents.bind(named["name"], local["user"])
        assert (await agents.delete(f"{ACCOUNTS}/admin")).status_code == 409
        # A second one may be removed, and then the first is the last again.
        own = await agents.role(rule("agents", "get"), EVERYTHING)
        await agents.bind(own["name"], local["user"])
        assert (await agents.delete(f"{ROLES}/admin")).status_code == 204
        second = await agents.log_in(local["user"], "test123")
        assert (await agents.delete(f"{ROLES}/{own['id']}", second)).status_code == 409


@pytest.mark.parametrize("way", ["accounts", "bindings", "deactivation", "mixed"])
async def test_of_two_administrators_at_once_one_stays(
    database_urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory, way: str
) -> None:
    async with running_agents(database_urls, tmp_path_factory.mktemp("data")) as agents:
        for _ in range(4):
            other = await agents.account()
            await agents.bind("admin", other["user"])
            (mine,) = (await agents.get(f"{BINDINGS}?principal_name=admin")).json()
            (its,) = (await agents.get(f"{BINDINGS}?principal_name={other['user']}")).json()
            second = await agents.log_in(other["user"], "test123")
            pairs = {
                "accounts": (
                    agents.delete(f"{ACCOUNTS}/{other['user']}"),
                    agents.delete(f"{ACCOUNTS}/admin", second),
                ),
                "bindings": (
                    agents.delete(f"{BINDINGS}/{its['id']}"),
                    agents.delete(f"{BINDINGS}/{mine['id']}", second),
                ),
                "deactivation": (
                    agents.put(f"{ACCOUNTS}/{other['user']}", {"active": False}),
                    agents.put(f"{ACCOUNTS}/admin", {"active": False}, second),
                ),
                "mixed": (
                    agents.put(f"{ACCOUNTS}/{other['user']}", {"active": False}),
                    agents.delete(f"{BINDINGS}/{mine['id']}", second),
                ),
            }
            chosen = pairs.pop(way)
            for pair in pairs.values():
                for unused in pair:
                    unused.close()
            answers = await asyncio.gather(*chosen)
            codes = [answer.status_code for answer in answers]
            # The slower one has lost its rights, or would leave nobody.
            assert sum(answer.is_success for answer in answers) == 1, codes
            assert set(codes) <= {200, 204, 401, 403, 409}
            left = second if answers[1].is_success else agents.admin
            assert (await agents.get(ACCOUNTS, left)).status_code == 200
            if not answers[0].is_success:
                break  # the first administrator has gone
