"""A USER message and its answer (agents contract, sections 6 and 9.11)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.agents.providers.models import Answered, Question
from services.agents.sessions.operations import Bell
from tests.services.agents.conftest import Agents
from tests.services.agents.turns_support import (
    USED,
    Work,
    agent_of,
    answered,
    chat,
    refuse,
    worker_of,
)
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def work(agents: Agents, urls: DatabaseUrls) -> AsyncIterator[Work]:
    async with worker_of(urls, bell=agents.resources[Bell]) as work:
        yield work


async def test_a_new_session_is_started(agents: Agents, work: Work) -> None:
    made = await chat(agents, ready=False)
    assert made.talk.made["state"] == "INIT"
    row = await made.becomes("READY")
    assert row["container_id"] == "box-1"
    assert row["persistent_volume_id"] == made.talk.id
    assert row["started_at"] is not None
    assert await made.jobs() == [("create_session", "completed", 1)]


async def test_a_message_is_answered_by_the_assistant_where_there_is_no_agent(
    agents: Agents, work: Work
) -> None:
    made = await chat(agents, starting_prompt="be kind")
    await made.say("hello")
    (reply,) = await made.replies()
    assert (reply["role"], reply["content"]) == ("AGENT", "assistant: hello")
    assert (reply["agent_id"], reply["agent_name"]) == (None, "assistant")
    row = await made.becomes("READY")
    assert row["busy_until"] == reply["created_at"]
    asked = work.providers.asked[-1]
    assert asked.starting_prompt == "be kind"
    assert asked.turn_id.startswith(made.talk.id)


async def test_an_answer_is_held_back_for_a_second_and_so_is_the_state(
    agents: Agents, work: Work
) -> None:
    made = await chat(agents)
    said = await made.talk.say("hello")
    (reply,) = await made.replies()
    rows = await made.sql.fetch(
        "SELECT created_at FROM agents.message WHERE session_id = $1 ORDER BY number", made.id
    )
    assert rows[1]["created_at"] - rows[0]["created_at"] >= timedelta(seconds=1)
    assert said["role"] == "USER"
    await made.talk.show_replies()
    assert await made.talk.contents() == ["hello", reply["content"]]
    assert await made.talk.state() == "READY"


async def test_what_an_answer_used_is_counted_and_what_is_kept_comes_again(
    agents: Agents, work: Work
) -> None:
    async def remember(question: Question) -> Answered:
        count = question.memory.get("count", 0) + 1
        return answered(f"turn {count}", {"count": count}, "something was cut")

    work.providers.behave = remember
    made = await chat(agents)
    await made.say("one")
    await made.replies(1)
    await made.say("two")
    replies = await made.replies(2)
    assert [reply["content"] for reply in replies] == ["turn 1", "turn 2"]
    metadata = json.loads(replies[0]["metadata"])
    assert metadata["usage"] == {"input_tokens": 7, "output_tokens": 5, "cost_micros": 3}
    assert metadata["notes"] == ["something was cut"]
    row = await made.becomes("READY")
    used = (row["input_tokens"], row["output_tokens"], row["cost_micros"])
    assert used == tuple(2 * each for each in (7, 5, 3))
    assert row["turns"] == 2
    assert json.loads(row["memory"]) == {"count": 2}


async def test_messages_are_answered_in_their_order_one_at_a_time(
    agents: Agents, work: Work
) -> None:
    gate = work.providers.hang()
    made = await chat(agents)
    for number in range(12):
        await made.say(f"m{number}")
    await work.providers.was_asked(1)
    gate.set()
    await made.replies(12)
    mine = [each for each in work.providers.asked if each.turn_id.startswith(made.talk.id)]
    assert [each.message for each in mine] == [f"m{number}" for number in range(12)]
    assert work.providers.most_at_once == 1
    # Each turn is told what was said before, and nothing that waits behind it.
    assert [line.content for line in mine[2].history] == [
        "m0",
        "assistant: m0",
        "m1",
        "assistant: m1",
    ]
    assert len(mine[11].history) == 10
    await made.becomes("READY")


async def test_a_message_on_an_idle_session_starts_it_anew(
    agents: Agents, urls: DatabaseUrls
) -> None:
    made = await chat(agents)  # before there is a worker, which might start it as well
    async with worker_of(urls, bell=agents.resources[Bell]) as work:
        await made.talk.send("POST", "/close")
        await made.becomes("IDLE")
        assert (made.id, "box") in work.runner.released
        await made.say("are you there?")
        await made.replies(1)
        row = await made.becomes("READY")
        assert row["container_id"] == "box-1"
        assert work.runner.prepared == [made.id]


async def test_messages_wait_in_a_session_that_is_not_started_or_in_error(
    agents: Agents, urls: DatabaseUrls
) -> None:
    made = await chat(agents, ready=False)
    await made.say("early")
    broken = await chat(agents)
    await broken.talk.move("ERROR")
    await broken.say("anyone?")
    async with worker_of(urls) as work:
        await made.replies(1)
        await made.becomes("READY")
        await broken.becomes("ERROR")
        assert len(work.providers.asked) == 1
        await broken.talk.send("POST", "/restore")
        work.bell.rung.set()
        await broken.replies(1)
        await broken.becomes("READY")


async def test_the_agent_that_is_meant_answers(agents: Agents, work: Work, namespace: str) -> None:
    route = [{"to": "coder", "when": ["fix the bug", "compile"]}, {"nonsense": 1}, 7]
    first = await agent_of(agents, namespace, name="lead", routes=route)
    coder = await agent_of(agents, namespace, name="coder")
    made = await chat(agents, namespace, agent_ids=[first["id"], coder["id"]])
    for text in ("hello", "@coder do it", "please Fix  the bug!", "prefix the bugs", "@nobody hi"):
        await made.say(text)
    replies = await made.replies(5)
    assert [reply["content"] for reply in replies] == [
        "lead: hello",
        "coder: do it",
        "coder: please Fix  the bug!",
        "lead: prefix the bugs",
        "lead: @nobody hi",
    ]
    assert str(replies[1]["agent_id"]) == coder["id"]


async def test_an_agent_that_was_deleted_does_not_answer(
    agents: Agents, work: Work, namespace: str
) -> None:
    first = await agent_of(agents, namespace, name="lead")
    second = await agent_of(agents, namespace, name="second")
    made = await chat(agents, namespace, agent_ids=[first["id"], second["id"]])
    admin = await agents.robot("admin")
    for count, agent in enumerate((first, second), 1):
        await agents.delete(f"agents/{agent['id']}", admin)
        await made.say("who?")
        replies = await made.replies(count)
    assert [reply["agent_name"] for reply in replies] == ["second", "assistant"]


async def test_why_there_is_no_answer_is_said_once(agents: Agents, work: Work) -> None:
    work.providers.behave = refuse
    made = await chat(agents)
    await made.say("hello")
    (reply,) = await made.replies()
    assert (reply["role"], reply["content"]) == ("SYSTEM", "The model has no time.")
    assert json.loads(reply["metadata"]) == {"error": True}
    row = await made.becomes("READY")
    assert row["input_tokens"] == USED.input_tokens
    assert (await made.work())["failures"] == 1


async def test_three_failures_in_a_row_are_an_error_and_restoring_begins_anew(
    agents: Agents, work: Work
) -> None:
    working = work.providers.behave
    made = await chat(agents)
    for failing in (True, True, False, True, True, True):
        work.providers.behave = refuse if failing else working
        count = len(work.providers.asked)
        await made.say("hello")
        await work.providers.was_asked(count + 1)
        await made.replies(count + 1)
    row = await made.becomes("ERROR")
    assert row["termination_reason"] == "The model has no time."
    await made.say("waits")
    await made.talk.send("POST", "/restore")
    await made.replies(7)
    row = await made.becomes("READY")
    assert (row["terminated_at"], row["termination_reason"]) == (None, None)
    assert (await made.work())["failures"] == 1


async def test_what_guardrails_refuse_is_answered_and_no_failure(
    agents: Agents, work: Work, namespace: str
) -> None:
    rails = {"blocked_phrases": ["forbidden"]}
    agent = await agent_of(agents, namespace, name="strict", guardrails=rails)
    made = await chat(agents, namespace, agent_ids=[agent["id"]])
    for _ in range(4):
        await made.say("something forbidden")
    replies = await made.replies(4)
    assert {reply["role"] for reply in replies} == {"SYSTEM"}
    assert {json.loads(reply["metadata"])["error"] for reply in replies} == {True}
    assert not work.providers.asked
    await made.becomes("READY")
    assert (await made.work())["failures"] == 0


async def test_an_answer_that_cannot_be_stored_or_is_a_bug_is_a_failure(
    agents: Agents, work: Work
) -> None:
    async def odd(question: Question) -> Answered:
        if question.message == "store":
            return answered("fine", {"count": "\ud800"})
        raise KeyError("bug")

    work.providers.behave = odd
    made = await chat(agents)
    await made.say("store")
    await made.say("crash")
    replies = await made.replies(2)
    assert {reply["content"] for reply in replies} == {"The turn failed inside the service."}
    await made.becomes("READY")


async def test_a_provider_that_hangs_beyond_its_time_is_a_failure(
    agents: Agents, urls: DatabaseUrls
) -> None:
    async with worker_of(urls, seconds=-4.9) as work:
        gate = work.providers.hang()
        made = await chat(agents)
        await made.say("hello")
        (reply,) = await made.replies()
        assert reply["content"] == "There was no answer in time."
        assert work.providers.broken_off == 1
        assert not gate.is_set()
        await made.becomes("READY")


async def test_many_sessions_are_answered_at_once(agents: Agents, work: Work) -> None:
    made = [await chat(agents) for _ in range(20)]
    gate = work.providers.hang()
    for each in made:
        await each.say("hello")
    await work.providers.was_asked(20)
    assert work.providers.at_once == 20
    gate.set()
    for each in made:
        await each.replies()
