"""What the worker needs of messages (agents contract, section 6)."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import pytest

from services.agents.messages import operations
from services.agents.messages.models import TurnInput
from services.agents.messages.rules import storable
from shared.db import Database
from tests.services.agents.conftest import Agents
from tests.services.agents.messages_support import Talk, begin, locked


async def given(talk: Talk, number: int, most: int = 10) -> TurnInput | None:
    async with talk.agents.resources[Database].connection() as connection:
        return await operations.turn_input(connection, UUID(talk.id), number, most)


async def history(talk: Talk, number: int, most: int = 10) -> list[str]:
    found = await given(talk, number, most)
    assert found is not None
    return [line.content for line in found.history]


async def test_gives_the_message_with_its_caller(agents: Agents) -> None:
    org, slug = await agents.organization()
    person = agents.person(org, "admin")
    talk = await begin(agents, slug, person)
    said = await talk.say("What is left?")
    number = await talk.number_of(said)
    found = await given(talk, number)
    assert found is not None
    assert (found.message.number, str(found.message.id)) == (number, said["id"])
    assert found.message.content == "What is left?"
    assert found.message.caller is not None
    assert found.message.caller["account"] == person.account
    assert list(found.history) == []


async def test_history_has_each_reply_behind_its_message(agents: Agents) -> None:
    """The second message came while the first was being answered."""
    talk = await begin(agents)
    one = await talk.number_of(await talk.say("one"))
    two = await talk.number_of(await talk.say("two"))
    three = await talk.number_of(await talk.say("three"))
    assert await history(talk, one) == []
    await talk.reply(one, "re: one")
    assert await history(talk, two) == ["one", "re: one"]
    await talk.reply(two, "re: two", "SYSTEM")
    found = await given(talk, three)
    assert found is not None
    assert [(line.role, line.name, line.content) for line in found.history] == [
        ("USER", "", "one"),
        ("AGENT", "assistant", "re: one"),
        ("USER", "", "two"),
        ("SYSTEM", "assistant", "re: two"),
    ]


async def test_history_is_the_last_of_it(agents: Agents) -> None:
    talk = await begin(agents)
    for number in range(12):
        await talk.reply(await talk.number_of(await talk.say(f"{number}")), f"re: {number}")
    last = await talk.number_of(await talk.say("last"))
    for most in (1, 2, 3, 10, 24, 100):
        whole = [text for number in range(12) for text in (f"{number}", f"re: {number}")]
        assert await history(talk, last, most) == whole[-most:]
    assert await history(talk, last, 0) == []


async def test_history_counts_late_replies_by_what_they_answer(agents: Agents) -> None:
    talk = await begin(agents)
    numbers = [await talk.number_of(await talk.say(f"{n}")) for n in range(5)]
    await talk.reply(numbers[0], "re: 0")
    await talk.say("note", "SYSTEM")
    await talk.reply(numbers[1], "re: 1")
    late = await talk.number_of(await talk.say("late"))
    assert await history(talk, late) == ["0", "re: 0", "1", "re: 1", "2", "3", "4", "note"]
    assert await history(talk, late, 3) == ["3", "4", "note"]
    assert await history(talk, numbers[2], 3) == ["re: 0", "1", "re: 1"]


async def test_there_is_nothing_to_answer_in_a_note_or_what_is_gone(agents: Agents) -> None:
    talk, other = await begin(agents), await begin(agents)
    note = await talk.number_of(await talk.say("note", "SYSTEM"))
    asked = await other.number_of(await other.say())
    assert await given(talk, note) is None
    assert await given(talk, 10_000) is None
    await other.send("DELETE", "/messages")
    assert await given(other, asked) is None


async def test_each_message_is_answered_once(agents: Agents) -> None:
    talk = await begin(agents)
    number = await talk.number_of(await talk.say())
    answered = await asyncio.gather(*(talk.reply(number, f"answer {n}") for n in range(6)))
    assert sorted(answered) == [False] * 5 + [True]
    await talk.show_replies()
    assert len(await talk.contents()) == 2
    async with agents.resources[Database].connection() as connection:
        assert await operations.is_answered(connection, UUID(talk.id), number)
        assert not await operations.is_answered(connection, UUID(talk.id), number + 1)
    posted = await agents.sql.fetchval(
        "SELECT count(*) FROM agents.outbox WHERE kind = 'message.posted.v1' "
        "AND payload LIKE '%' || $1 || '%'",
        talk.id,
    )
    assert posted == 2


async def test_a_late_reply_has_the_time_it_came(agents: Agents) -> None:
    talk = await begin(agents)
    said = await talk.say()
    await agents.sql.execute(
        "UPDATE agents.message SET created_at = created_at - interval '1 minute' "
        "WHERE session_id = $1",
        UUID(talk.id),
    )
    assert await talk.reply(await talk.number_of(said))
    assert await talk.contents() == ["hello", "an answer"]
    assert await talk.state() == "READY"


async def test_a_reply_says_that_it_is_there(agents: Agents) -> None:
    talk = await begin(agents)
    await talk.reply(await talk.number_of(await talk.say()), "sorry", "SYSTEM")
    payload = await agents.sql.fetchval(
        "SELECT payload FROM agents.outbox WHERE kind = 'message.posted.v1' "
        "AND payload LIKE '%' || $1 || '%' ORDER BY id DESC LIMIT 1",
        talk.id,
    )
    said = json.loads(payload)
    await talk.show_replies()
    shown = (await talk.messages())[-1]
    assert (said["message_id"], said["role"]) == (shown["id"], "SYSTEM")
    assert said["number"] == await talk.number_of(shown)
    assert "sorry" not in payload


async def test_a_reply_that_fails_leaves_nothing(agents: Agents) -> None:
    talk = await begin(agents)
    number = await talk.number_of(await talk.say())
    found = await given(talk, number)
    assert found is not None

    async def fail() -> None:
        async with agents.resources[Database].transaction() as connection:
            session = await locked(connection, talk.id)
            at = await operations.add_reply(
                connection,
                session,
                found.message,
                "AGENT",
                "x",
                agent_id=None,
                agent_name="assistant",
                metadata={},
            )
            assert at is not None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await talk.reply(number, "again")
    await talk.show_replies()
    assert await talk.contents() == ["hello", "again"]


async def test_replies_keep_what_can_be_kept(agents: Agents) -> None:
    talk = await begin(agents)
    number = await talk.number_of(await talk.say())
    assert await talk.reply(number, "a\x00b\ud800c\N{GRINNING FACE}")
    await talk.show_replies()
    assert (await talk.contents())[1] == "a\ufffdb\ufffdc\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain", "plain"),
        ("", ""),
        ("\x00", "\ufffd"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\N{GRINNING FACE}"),
        ("\N{GRINNING FACE}é", "\N{GRINNING FACE}é"),
    ],
)
def test_storable_text(text: str, kept: str) -> None:
    assert storable(text) == kept
