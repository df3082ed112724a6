"""An agent that answers with an organization's learnings, through the gateway of the system."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.support.stack import Stack
from tests.system.people import Person, joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]

API = "/api/v0"
WAIT = 30.0


async def namespace_of(person: Person) -> str:
    """Give the namespace of a person's organization, once agents has heard of it."""
    async with asyncio.timeout(WAIT):
        while True:
            spaces = (await person.client.get(f"{API}/workspaces", headers=person.headers)).json()
            for space in spaces:
                if space["name"] != "default":
                    return str(space["name"])
            await asyncio.sleep(0.05)


async def made(person: Person, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await person.client.post(f"{API}/{path}", headers=person.headers, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def answered(person: Person, session: str, question: str) -> dict[str, Any]:
    """Ask, and wait for the reply."""
    await made(person, f"sessions/{session}/messages", {"role": "USER", "content": question})
    path = f"{API}/sessions/{session}/messages?role=AGENT"
    async with asyncio.timeout(WAIT):
        while True:
            replies = (await person.client.get(path, headers=person.headers)).json()
            if replies:
                found: dict[str, Any] = replies[-1]
                return found
            await asyncio.sleep(0.1)


async def test_an_answer_holds_what_its_reader_may_know(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=20) as client:
        people = [
            await joined(client, stack.mail_directory, f"{name}@knowledge.example")
            for name in ("ada", "grace")
        ]
        for person, when in zip(people, ("on Mondays at ten", "on Fridays"), strict=True):
            body = {"summary": "Rotate the pager", "detail": f"The pager is rotated {when}."}
            recorded = await client.post("/v1/learnings", headers=person.headers, json=body)
            assert recorded.status_code == 201, recorded.text
            home = await namespace_of(person)
            bases = [{"type": "learnings"}, {"type": "oracle"}]
            named = {"namespace": home, "model": "builtin", "knowledge_bases": bases}
            agent = await made(person, "agents", named | {"name": "oncall"})
            wanted = {"namespace": home, "agent_ids": [agent["id"]]}
            session = await made(person, "sessions", wanted)
            reply = await answered(person, session["id"], "When is the pager rotated?")
            assert reply["agent_name"] == "oncall"
            assert f"The pager is rotated {when}." in reply["content"]
            assert "knowledge base type 'oracle' is not known" in str(reply["metadata"])
        for path in ("search", "teams/knowledge", "sessions/check"):
            asked = {"org_id": people[0].org_id, "query": "pager"}
            refused = await client.post(f"/internal/{path}", headers=people[1].headers, json=asked)
            assert refused.status_code == 404
