"""Whose a session is: taking over, letting go, sharing, breaking off (sections 6 and 9.17)."""

from __future__ import annotations

import json

import pytest

from services.agents.sessions.operations import Bell
from services.agents.turns.operations import worker as module
from services.agents.turns.operations.worker import Limits
from tests.services.agents.conftest import Agents, new_name
from tests.services.agents.turns_support import (
    Chat,
    FakeProviders,
    chat,
    forget_work,
    until,
    worker_of,
    working,
)
from tests.support.postgres import DatabaseUrls

PATIENT = Limits(turns=1, lease_s=60)
HASTY = Limits(lease_s=1)


@pytest.fixture(autouse=True)
async def _alone(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left of other tests, and nobody waits for what hangs."""
    monkeypatch.setattr(module, "GRACE", 0.3)
    await forget_work(agents.sql)


async def is_asked_for(made: Chat, providers: FakeProviders) -> None:
    async def asked() -> bool:
        return any(each.turn_id.startswith(made.talk.id) for each in providers.asked)

    await until(asked, "never asked")


async def test_a_turn_whose_worker_died_is_run_once_more_and_answered_once(
    agents: Agents, urls: DatabaseUrls
) -> None:
    made = await chat(agents)
    async with worker_of(urls, bell=agents.resources[Bell], limits=PATIENT) as first:
        gate = first.providers.hang()
        await made.say("hello")
        await is_asked_for(made, first.providers)
        fence = (await made.work())["fence"]
        await made.expire()  # as if it had died, or slept
        async with worker_of(urls) as second:
            await made.replies(1)
            await made.becomes("READY")
            gate.set()
            await until_idle(first.worker)
        assert len(second.providers.asked) == 1
    assert await made.lines() == [("USER", "hello"), ("AGENT", "assistant: hello")]
    assert (await made.jobs())[-1] == ("run_turn", "completed", 2)
    assert (await made.work())["fence"] > fence
    assert (await made.row())["turns"] == 1


async def until_idle(worker: module.TurnWorker) -> None:
    async def idle() -> bool:
        return not worker.holdings.held

    await until(idle, "still at it")


async def test_a_turn_is_not_run_a_third_time(agents: Agents, urls: DatabaseUrls) -> None:
    made = await chat(agents)
    await made.say("deadly")
    await made.say("harmless")
    number = await agents.sql.fetchval(
        "SELECT min(number) FROM agents.message WHERE session_id = $1", made.id
    )
    await agents.sql.execute(
        "UPDATE agents.job SET state = 'processing', attempts = 2 "
        "WHERE session_id = $1 AND message_number = $2",
        made.id,
        number,
    )
    async with worker_of(urls) as work:
        replies = await made.replies(2)
        await made.becomes("READY")
        assert [each.message for each in work.providers.asked] == ["harmless"]
    assert replies[0]["role"] == "SYSTEM"
    assert replies[0]["content"] == "The turn was interrupted, and is not tried again."
    assert json.loads(replies[0]["metadata"]) == {"error": True}
    assert replies[1]["content"] == "assistant: harmless"


async def test_who_lost_a_lease_stops_soon_even_if_nobody_tells(
    agents: Agents, urls: DatabaseUrls
) -> None:
    made = await chat(agents)
    async with worker_of(urls, bell=agents.resources[Bell], limits=HASTY) as work:
        work.providers.hang()
        await made.say("hello")
        await is_asked_for(made, work.providers)
        await made.talk.send("POST", "/close")
        await until_idle(work.worker)
        assert work.providers.broken_off == 1
        await made.becomes("IDLE")
    assert await made.lines() == [("USER", "hello")]


@pytest.mark.parametrize("way", ["close", "complete", "clear", "delete", "state"])
async def test_a_turn_that_is_taken_away_is_broken_off_at_once(
    agents: Agents, urls: DatabaseUrls, way: str
) -> None:
    made = await chat(agents)
    providers = FakeProviders()
    providers.hang()
    async with working(agents, urls, providers):
        await made.say("hello")
        await is_asked_for(made, providers)
        match way:
            case "clear":
                answer = await made.talk.send("DELETE", "/messages")
            case "delete":
                answer = await made.talk.send("DELETE")
            case "state":
                answer = await made.talk.send("PUT", "/state", json={"state": "error"})
            case _:
                answer = await made.talk.send("POST", f"/{way}")
        assert answer.status_code < 300, answer.text

        async def broken_off() -> bool:
            return providers.broken_off == 1

        await until(broken_off, "still asked")
        expected = {"close": "IDLE", "state": "ERROR"}.get(way, "READY")
        if way == "delete":

            async def ended() -> bool:
                return (await made.jobs())[-1][:2] == ("destroy_session", "completed")

            await until(ended, "not destroyed")
        else:
            await made.becomes(expected)
        if way in ("complete", "clear"):
            await made.say("again?")
            await is_asked_for(made, providers)
            await made.talk.send("POST", "/complete")
    lines = await made.lines()
    assert [role for role, _ in lines] == ["USER"] * len(lines)


async def test_stopping_lets_quick_turns_end_and_gives_the_rest_back_at_once(
    agents: Agents, urls: DatabaseUrls
) -> None:
    slow = [await chat(agents) for _ in range(3)]
    async with worker_of(urls, bell=agents.resources[Bell]) as work:
        work.providers.hang()
        for each in slow:
            await each.say("one")
            await each.say("two")
        await work.providers.was_asked(3)
    for each in slow:
        assert (await each.row())["state"] == "BUSY"
        standing = await each.work()
        assert standing["worker"] is None
        assert standing["due_at"] is not None
        assert (await each.jobs())[-2:] == [("run_turn", "pending", 0)] * 2
    async with worker_of(urls):
        for each in slow:
            await each.replies(2)
            await each.becomes("READY")
            assert [text for _, text in await each.lines()] == [
                "one",
                "two",
                "assistant: one",
                "assistant: two",
            ]


async def test_stopping_waits_for_an_answer_that_comes(
    agents: Agents, urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 20)
    made = await chat(agents)
    async with worker_of(urls, bell=agents.resources[Bell]) as work:
        gate = work.providers.hang()
        await made.say("one")
        await made.say("two")
        await work.providers.was_asked(1)
        gate.set()
    lines = await made.lines()
    assert ("AGENT", "assistant: one") in lines
    assert ("AGENT", "assistant: two") not in lines
    assert (await made.work())["worker"] is None


async def test_workers_share_and_keep_to_their_limits(agents: Agents, urls: DatabaseUrls) -> None:
    few = Limits(turns=4)
    made = [await chat(agents) for _ in range(14)]
    async with worker_of(urls, limits=few) as first, worker_of(urls, limits=few) as second:
        gates = [first.providers.hang(), second.providers.hang()]
        for each in made:
            await each.say("hello")
        await first.providers.was_asked(4)
        await second.providers.was_asked(4)
        for gate in gates:
            gate.set()
        for each in made:
            await each.replies()
        asked = [*first.providers.asked, *second.providers.asked]
    assert first.providers.most_at_once == second.providers.most_at_once == 4
    assert len({each.turn_id for each in asked}) == len(asked) == 14


async def test_no_namespace_takes_every_place_while_others_wait(
    agents: Agents, urls: DatabaseUrls
) -> None:
    greedy = new_name("greedy")
    limits = Limits(turns=4)
    async with worker_of(urls, bell=agents.resources[Bell], limits=limits) as work:
        work.providers.hang()
        for _ in range(8):
            made = await chat(agents, greedy)
            await made.say("mine")
        await work.providers.was_asked(3)
        # More of them than are looked at first.
        await agents.sql.execute(
            """
            WITH s AS (
                INSERT INTO agents.session (id, namespace, name, owner_type, owner_id, created_by,
                                            last_activity_at)
                SELECT gen_random_uuid(), $1, 'many', 'User', 'usr_x', 'usr_x', now()
                  FROM generate_series(1, 2000) RETURNING id)
            INSERT INTO agents.work (session_id, namespace, due_at)
            SELECT id, $1, now() - interval '1 hour' FROM s
            """,
            greedy,
        )
        other = await chat(agents)
        await other.say("and me")
        await is_asked_for(other, work.providers)
        assert work.worker.holdings.by_namespace()[greedy] == 3
    await agents.sql.execute("DELETE FROM agents.session WHERE namespace = $1", greedy)


async def test_a_session_with_many_messages_lets_others_have_their_turn(
    agents: Agents, urls: DatabaseUrls
) -> None:
    chatty, other = await chat(agents), await chat(agents)
    for number in range(10):
        await chatty.say(f"m{number}")
    await other.say("hello")
    async with worker_of(urls, limits=Limits(turns=1)) as work:
        await chatty.replies(10)
        await other.replies(1)
    told = [each.message for each in work.providers.asked]
    assert told.index("hello") <= 2 * module.IN_A_ROW
    assert [each for each in told if each != "hello"] == [f"m{number}" for number in range(10)]


async def test_a_session_that_cannot_be_worked_on_is_in_error_and_holds_up_nobody(
    agents: Agents, urls: DatabaseUrls
) -> None:
    made = await chat(agents)
    await made.say("hello")
    fine = await chat(agents)
    await fine.say("hello")
    await agents.sql.execute(
        "ALTER TABLE agents.job ADD CONSTRAINT trouble CHECK (session_id <> "
        f"'{made.id}' OR state <> 'processing') NOT VALID"
    )
    try:
        async with worker_of(urls):
            await fine.replies(1)
            row = await made.becomes("ERROR")
            assert row["termination_reason"] == "The turn failed inside the service."
    finally:
        await agents.sql.execute("ALTER TABLE agents.job DROP CONSTRAINT trouble")


async def test_an_answer_outlives_the_connections_to_the_database(
    agents: Agents, urls: DatabaseUrls
) -> None:
    made = await chat(agents)
    async with worker_of(urls, bell=agents.resources[Bell]) as work:
        gate = work.providers.hang()
        await made.say("hello")
        await is_asked_for(made, work.providers)
        await agents.sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND usename = current_user"
        )
        gate.set()
        await made.replies(1)
        await made.becomes("READY")
        assert len(work.providers.asked) == 1
