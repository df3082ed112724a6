"""The envelope, the event types, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus import Event, Message, outbox
from shared.bus.events import NotJson, WrongShape, decode, encode
from shared.bus.transport import backoff
from tests.shared.bus.harness import House, as_json


class Baked(Event):
    kind: ClassVar[str] = "bread.baked.v1"
    publisher: ClassVar[str] = "bakery"

    loaves: int
    label: str = ""


EVENT_ID = UUID("0190a5a8-0000-7000-8000-000000000001")
AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_the_wire_form_of_an_event() -> None:
    assert as_json(Baked(event_id=EVENT_ID, occurred_at=AT, loaves=3)) == {
        "event_id": "0190a5a8-0000-7000-8000-000000000001",
        "occurred_at": "2026-01-02T03:04:05.678000Z",
        "loaves": 3,
        "label": "",
    }


@given(loaves=st.integers(-(2**62), 2**62), label=st.text())
def test_an_event_survives_its_envelope(loaves: int, label: str) -> None:
    event = Baked(loaves=loaves, label=label)
    message = encode(event)
    assert decode(Baked, message) == event
    assert (message.id, message.occurred_at) == (event.event_id, event.occurred_at)


def test_every_event_is_another_event() -> None:
    assert Baked(loaves=1).event_id != Baked(loaves=1).event_id


def test_fields_that_a_newer_publisher_adds_are_ignored() -> None:
    payload = Baked(loaves=1).model_dump_json()[:-1] + ',"crust":"dark"}'
    assert decode(Baked, message(payload.encode())).loaves == 1


def message(payload: bytes, kind: str = Baked.kind) -> Message:
    return Message(EVENT_ID, kind, AT, payload)


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b'{"loaves": "\x00"}'])
def test_what_is_not_json_is_told_apart(payload: bytes) -> None:
    with pytest.raises(NotJson):
        decode(Baked, message(payload))


@pytest.mark.parametrize("payload", [b"[]", b"null", b"{}", b'{"loaves": "secret"}'])
def test_a_wrong_shape_is_named_without_its_values(payload: bytes) -> None:
    with pytest.raises(WrongShape) as caught:
        decode(Baked, message(payload))
    assert "secret" not in str(caught.value)


def test_another_kind_is_a_wrong_shape() -> None:
    with pytest.raises(WrongShape, match=r"bread\.sold\.v1"):
        decode(Baked, message(b"{}", "bread.sold.v1"))


@pytest.mark.parametrize("kind", ["bread", "bread.baked", "bread.baked.v0", "Bread.baked.v1", ""])
def test_a_kind_of_the_wrong_form_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match=r"noun\.verbed\.v1"):
        type("Bad", (Event,), {"kind": kind, "publisher": "bakery"})


@pytest.mark.parametrize("publisher", ["", "Bakery", "bakery; DROP", "bakery.outbox", "a1"])
def test_a_publisher_that_is_no_schema_is_refused(publisher: str) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        type("Bad", (Event,), {"kind": "bread.baked.v1", "publisher": publisher})


async def test_one_statement_takes_events_of_one_publisher(house: House) -> None:
    async with house.database.transaction() as connection:
        await outbox.add_all(connection, [])
        with pytest.raises(ValueError, match="publishers"):
            await outbox.add_all(connection, [house.Noted(), Baked(loaves=1)])
    assert await house.count("outbox") == 0


def test_backing_off_doubles_up_to_a_limit() -> None:
    for failures in range(100):
        assert 0.05 <= backoff(failures) <= 5.0
    assert backoff(99) >= 2.5
