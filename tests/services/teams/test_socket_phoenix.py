"""The real Phoenix client against the socket of teams (teams contract, section 10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.teams.knowledge import operations as knowledge
from tests.services.teams.conftest import Machine
from tests.services.teams.socket_support import Place, Served, served
from tests.support import phoenix_client
from tests.support.phoenix_client import PhoenixClient
from tests.support.postgres import DatabaseUrls
from tests.support.service import asserting
from tests.support.service_process import running_service

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if not phoenix_client.PACKAGES.is_installed():
        pytest.skip("the Phoenix client is not installed (python -m tests.prepare)")


@pytest.fixture(scope="module")
async def service(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    async with served(urls, auth_url) as running:
        yield running


def client_of(place: Place, machine: Machine) -> AbstractAsyncContextManager[PhoenixClient]:
    url = place.url.replace("http", "ws", 1) + "/socket"
    return phoenix_client.running(url, asserting("teams", machine.principal))


async def test_it_joins_pushes_is_told_beats_and_leaves(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other, knowledge="é\n")
    topic = f"knowledge:{team_id}"
    async with client_of(service, machine) as one, client_of(service, other) as two:
        for client in (one, two):
            client.tell("connect")
            await client.saw("open")
            joined = await client.ask("join", topic=topic)
            assert joined["status"] == "ok"
            assert joined["response"]["knowledge_cap"] == 100_000
        tasks = await one.ask("join", topic=f"tasks:{team_id}")
        assert tasks == {"status": "ok", "response": {"tasks": []}}
        pushed = await push(one, topic, "☕ line")
        assert pushed["status"] == "ok"
        told = (await two.saw("knowledge:updated"))["payload"]
        assert told == {"content": "é\n☕ line\n", **pushed["response"]}
        missing = await one.ask("push", topic=topic, event="knowledge:push", payload={})
        assert missing == {"status": "error", "response": {"reason": "missing content"}}
        assert (await one.ask("ping"))["status"] == "ok"
        assert (await one.ask("leave", topic=topic))["status"] == "ok"
        await one.saw("topic closed")
        assert (await one.ask("state", topic=topic))["response"] == {"state": "closed"}
        assert (await push(two, topic, "after"))["status"] == "ok"


async def push(client: PhoenixClient, topic: str, content: str) -> dict[str, Any]:
    return await client.ask(
        "push", topic=topic, event="knowledge:push", payload={"content": content}
    )


async def test_what_it_may_not_join_is_an_error_to_it(service: Served) -> None:
    machine = service.machine()
    theirs = await service.team(service.machine())
    async with client_of(service, machine) as client:
        client.tell("connect")
        for topic, reason in (
            (f"knowledge:{theirs}", "not_found"),
            ("knowledge:", "team_id_required"),
            ("room:lobby", "unmatched topic"),
        ):
            answer = await client.ask("join", topic=topic)
            assert answer == {"status": "error", "response": {"reason": reason}}


async def test_it_joins_again_by_itself_after_a_crash(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    topic = f"knowledge:{team_id}"

    async def crash(*_: object) -> None:
        raise ZeroDivisionError

    async with client_of(service, machine) as client, await service.open(other) as beside:
        await beside.join(topic)
        client.tell("connect")
        await client.ask("join", topic=topic)
        with monkeypatch.context() as patch:
            patch.setattr(knowledge, "push", crash)
            client.tell(
                "push", asked=0, topic=topic, event="knowledge:push", payload={"content": "x"}
            )
            await client.saw("topic failed")
        while (await client.ask("state", topic=topic))["response"]["state"] != "joined":
            pass
        await beside.push(team_id, "told again")
        assert (await client.saw("knowledge:updated"))["payload"]["content"] == "told again"


async def test_it_comes_back_after_the_goodbye_of_a_process_that_stops(
    urls: DatabaseUrls, auth_url: str, tmp_path: Path, service: Served
) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    topic = f"knowledge:{team_id}"
    async with (
        running_service("teams", urls, tmp_path) as process,
        httpx.AsyncClient(base_url=process.url) as http,
        await service.open(other) as beside,
        client_of(Place(process.url, http, urls), machine) as client,
    ):
        await beside.join(topic)
        client.tell("connect")
        await client.ask("join", topic=topic)
        await process.stop()
        await client.saw("topic closed")
        assert (await client.saw("closed"))["code"] == 1001
        await process.start()
        # As the daemon does after phx_close: it joins anew, once it is connected.
        assert (await client.ask("join", topic=topic))["status"] == "ok"
        await beside.push(team_id, "welcome back")
        assert (await client.saw("knowledge:updated"))["payload"]["content"] == "welcome back"
