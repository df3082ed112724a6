"""Deleting a session's messages, and ending its turn by hand (agents contract, section 4.6)."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import pytest

from tests.services.agents.conftest import Agents, new_name
from tests.services.agents.messages_support import begin


async def test_clears_everything_and_says_how_much(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    answer = await talk.send("DELETE", "/messages")
    assert (answer.status_code, answer.json()) == (200, {"deleted": 0, "session_id": talk.id})
    for number in range(3):
        await talk.say(f"message {number}")
    answer = await talk.send("DELETE", "/messages", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()) == (200, {"deleted": 3, "session_id": talk.id})
    assert await talk.contents() == []
    assert await talk.state() == "INIT"


async def test_what_waits_to_be_answered_goes_with_it(agents: Agents) -> None:
    talk = await begin(agents, state="ERROR")
    numbers = [await talk.number_of(await talk.say()) for _ in range(3)]
    await talk.send("DELETE", "/messages")
    assert await talk.turns() == [("failed", number, "cleared") for number in numbers]
    assert await talk.state() == "ERROR"


@pytest.mark.parametrize("is_running", [True, False])
async def test_a_turn_under_way_ends_without_a_reply(agents: Agents, is_running: bool) -> None:
    talk = await begin(agents)
    number = await talk.number_of(await talk.say())
    waiting = await talk.number_of(await talk.say())
    if is_running:
        assert await talk.take_turn() == number
    fence = await agents.sql.fetchval(
        "SELECT fence FROM agents.work WHERE session_id = $1", UUID(talk.id)
    )
    await talk.send("DELETE", "/messages")
    assert await talk.state() == "READY"
    assert await talk.turns() == [("failed", number, "cleared"), ("failed", waiting, "cleared")]
    work = await agents.sql.fetchrow(
        "SELECT fence, worker FROM agents.work WHERE session_id = $1", UUID(talk.id)
    )
    assert work is not None
    assert (work["fence"] > fence, work["worker"]) == (True, None)
    # Who had it finds nothing to answer any more.
    assert not await talk.reply(number)
    assert await talk.contents() == []


async def test_a_reply_that_is_held_back_goes_too_and_was_never_seen(agents: Agents) -> None:
    talk = await begin(agents)
    assert await talk.reply(await talk.number_of(await talk.say()))
    answer = await talk.send("DELETE", "/messages")
    assert answer.json()["deleted"] == 1
    await talk.show_replies()
    assert await talk.contents() == []
    assert await talk.state() == "READY"


async def test_talk_goes_on_after_clearing(agents: Agents) -> None:
    talk = await begin(agents)
    await talk.say("before")
    await talk.send("DELETE", "/messages")
    number = await talk.number_of(await talk.say("after"))
    assert await talk.reply(number)
    await talk.show_replies()
    assert await talk.contents() == ["after", "an answer"]


async def test_clearing_and_completing_are_in_the_audit_log(agents: Agents) -> None:
    talk = await begin(agents)
    await talk.say("a secret")
    await talk.send("POST", "/complete")
    await talk.send("DELETE", "/messages", headers={"user-agent": "curl/8"})
    rows = await agents.sql.fetch(
        "SELECT action, owner_id, namespace, user_agent, detail FROM agents.audit_event "
        "WHERE target = $1 ORDER BY at DESC LIMIT 2",
        talk.id,
    )
    assert [row["action"] for row in rows] == ["session.cleared", "session.completed"]
    cleared = rows[0]
    assert cleared["owner_id"] == talk.owner.subject
    assert (cleared["namespace"], cleared["user_agent"]) == (talk.namespace, "curl/8")
    assert json.loads(cleared["detail"]) == {"messages": "1"}
    assert not any("a secret" in row["detail"] for row in rows)


async def test_complete_makes_a_busy_session_ready(agents: Agents) -> None:
    talk = await begin(agents)
    number = await talk.number_of(await talk.say())
    assert await talk.take_turn() == number
    answer = await talk.send("POST", "/complete")
    assert answer.status_code == 200
    assert answer.json() == {
        "session_id": talk.id,
        "state": "READY",
        "message": "The session is ready",
    }
    assert await talk.state() == "READY"
    assert await talk.turns() == [("failed", number, "cancelled")]
    assert await talk.contents() == ["hello"]


async def test_complete_speaks_the_dialect_of_the_session(agents: Agents) -> None:
    space = new_name("ns")
    owner = await agents.robot("developer", namespace=space)
    talk = await begin(agents, space, owner, "BUSY", space=space)
    assert (await talk.send("POST", "/complete")).json()["state"] == "idle"


async def test_complete_shows_a_reply_no_sooner(agents: Agents) -> None:
    talk = await begin(agents)
    assert await talk.reply(await talk.number_of(await talk.say()))
    assert await talk.state() == "BUSY"
    assert (await talk.send("POST", "/complete")).status_code == 200
    assert await talk.state() == "READY"
    assert await talk.contents() == ["hello"]


@pytest.mark.parametrize("state", ["INIT", "READY", "IDLE", "ERROR"])
async def test_complete_of_another_state_is_400(agents: Agents, state: str) -> None:
    talk = await begin(agents, state=state)
    answer = await talk.send("POST", "/complete")
    assert answer.status_code == 400
    expected = f"Invalid state transition from {state.capitalize()} to Ready"
    assert answer.json()["message"] == answer.json()["error"]["message"] == expected
    assert await talk.state() == state


async def test_one_of_many_completes(agents: Agents) -> None:
    talk = await begin(agents, state="BUSY")
    answers = await asyncio.gather(*(talk.send("POST", "/complete") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7


async def test_posts_and_clearings_at_once_leave_no_turn_without_its_message(
    agents: Agents,
) -> None:
    talk = await begin(agents)

    async def clear() -> None:
        for _ in range(4):
            assert (await talk.send("DELETE", "/messages")).status_code == 200

    async def post() -> None:
        for _ in range(5):
            await talk.say()

    await asyncio.gather(clear(), post(), post())
    kept = {await talk.number_of(one) for one in await talk.messages()}
    waiting = {number for state, number, _ in await talk.turns() if state == "pending"}
    assert waiting == kept
    assert await talk.state() == ("BUSY" if kept else "READY")
