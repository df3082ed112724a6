"""The inbox's own tables: counting, settling, sweeping."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from shared.bus import Message, inbox
from tests.shared.bus.harness import House


async def test_attempts_are_counted_until_the_event_is_settled(house: House) -> None:
    event = uuid4()
    async with house.database.connection() as connection:
        counts = [
            await inbox.count_attempt(connection, house.schema, "consumer", event) for _ in range(3)
        ]
        assert counts == [1, 2, 3]
        assert await inbox.count_attempt(connection, house.schema, "another", event) == 1
        assert await inbox.settle(connection, house.schema, "consumer", event)
        assert not await inbox.settle(connection, house.schema, "consumer", event)
        assert await inbox.count_attempt(connection, house.schema, "consumer", event) is None
    assert await house.count("attempt") == 1


async def test_parking_keeps_the_whole_message_and_ends_counting(house: House) -> None:
    sent = Message(uuid4(), "bread.baked.v1", datetime.now(UTC), b'{"a": 1}', "00-trace")
    async with house.database.connection() as connection:
        await inbox.count_attempt(connection, house.schema, "consumer", sent.id)
        for _ in range(2):
            await inbox.park(connection, house.schema, "consumer", sent, 5, "x" * 5_000)
        [parked] = await inbox.list_parked(connection, house.schema)
        assert (parked.event_id, parked.kind, parked.payload) == (sent.id, sent.kind, '{"a": 1}')
        assert len(parked.reason) == inbox.REASON_LENGTH
        assert await inbox.count_attempt(connection, house.schema, "consumer", sent.id) is None
        assert await inbox.count_parked(connection, house.schema, 10) == 1
        assert await inbox.replay_parked(connection, house.schema) == 1
        assert await inbox.count_attempt(connection, house.schema, "consumer", sent.id) == 1
    [row] = await house.fetch("TABLE {schema}.outbox")
    assert row["queue"] == f"{house.schema}.consumer"
    assert row["event_id"] == sent.id
    assert row["traceparent"] == "00-trace"


async def test_parked_events_are_listed_oldest_first_up_to_a_limit(house: House) -> None:
    ids = [uuid4() for _ in range(3)]
    async with house.database.connection() as connection:
        for each in ids:
            sent = Message(each, "bread.baked.v1", datetime.now(UTC), b"{}")
            await inbox.park(connection, house.schema, "consumer", sent, 5, "why")
        listed = await inbox.list_parked(connection, house.schema, 2)
    assert [parked.event_id for parked in listed] == ids[:2]


async def test_only_what_is_old_is_swept(house: House) -> None:
    async with house.database.connection() as connection:
        for _ in range(4):
            await inbox.settle(connection, house.schema, "consumer", uuid4())
            await inbox.count_attempt(connection, house.schema, "consumer", uuid4())
        await house.fetch(
            "UPDATE {schema}.inbox SET handled_at = now() - interval '31 days'"
            " WHERE event_id IN (SELECT event_id FROM {schema}.inbox LIMIT 3)"
        )
        await house.fetch(
            "UPDATE {schema}.attempt SET last_at = now() - interval '31 days'"
            " WHERE event_id IN (SELECT event_id FROM {schema}.attempt LIMIT 3)"
        )
        assert not await inbox.sweep(connection, house.schema)
    assert await house.count("inbox") == 1
    assert await house.count("attempt") == 1
