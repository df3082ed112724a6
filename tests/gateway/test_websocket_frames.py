"""Frames are followed wherever the stream is cut, and nothing that breaks the protocol passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from gateway.websocket.frames import (
    PROTOCOL_ERROR,
    TOO_BIG,
    Frames,
    Violation,
    close_frame,
)

DATA = (Opcode.TEXT, Opcode.BINARY)
CONTROL = (Opcode.PING, Opcode.PONG)


def wire(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bool = True) -> bytes:
    """Write a frame as another library does."""
    return Frame(Opcode(opcode), payload, fin=fin).serialize(mask=mask)


messages = st.tuples(
    st.sampled_from(DATA),
    st.lists(st.binary(max_size=300) | st.integers(0, 70_000).map(bytes), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(CONTROL), st.binary(max_size=125)), max_size=2),
)


def stream(message: tuple[Opcode, list[bytes], list[tuple[Opcode, bytes]]], mask: bool) -> bytes:
    """Write a message in fragments, with control frames after the first of them."""
    opcode, pieces, controls = message
    written = b""
    for number, piece in enumerate(pieces):
        is_last = number == len(pieces) - 1
        written += wire(opcode if number == 0 else Opcode.CONT, piece, fin=is_last, mask=mask)
        if number == 0:
            for control, payload in controls:
                written += wire(control, payload, mask=mask)
    return written


@given(st.lists(messages, min_size=1, max_size=4), st.booleans(), st.data())
def test_streams_pass_whole_wherever_they_are_cut(
    sent: list[tuple[Opcode, list[bytes], list[tuple[Opcode, bytes]]]],
    mask: bool,
    data: st.DataObject,
) -> None:
    written = b"".join(stream(message, mask) for message in sent)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(written)), max_size=20)) | {len(written)})
    ends: set[int] = set()
    for message in sent:
        ends.add(max(ends, default=0) + len(stream(message, mask)))
    frames, passed, start = Frames(is_masked=mask), b"", 0
    for cut in cuts:
        passed += frames.feed(written[start:cut])
        start = cut
        if cut in ends:
            assert (frames.left, passed) == (0, written[:cut])
    assert passed == written
    assert not frames.left
    assert not frames.is_closed


@given(st.binary(max_size=400), st.booleans(), st.integers(1, 50))
def test_bytes_of_any_kind_break_nothing(noise: bytes, mask: bool, step: int) -> None:
    frames, passed = Frames(is_masked=mask, limit=1000), b""
    try:
        for start in range(0, len(noise), step):
            passed += frames.feed(noise[start : start + step])
    except Violation as fault:
        passed += fault.passed
        assert frames.left == 0
    assert noise.startswith(passed)


def test_nothing_passes_after_a_close() -> None:
    frames = Frames(is_masked=True)
    close = wire(Opcode.CLOSE, Close(1000, "bye").serialize())
    text = wire(Opcode.TEXT, b"hello")
    assert frames.feed(text + close[:-1]) == text + close[:-1]
    was_closed = frames.is_closed
    assert frames.feed(close[-1:] + text) == close[-1:]
    assert (was_closed, frames.is_closed) == (False, True)
    assert frames.feed(text) == b""


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(wire(Opcode.TEXT, b"x", mask=False), id="not masked"),
        pytest.param(b"\xc1" + wire(Opcode.TEXT, b"x")[1:], id="compressed"),
        pytest.param(b"\xa1" + wire(Opcode.TEXT, b"x")[1:], id="second reserved bit"),
        pytest.param(b"\x91" + wire(Opcode.TEXT, b"x")[1:], id="third reserved bit"),
        pytest.param(b"\x83" + wire(Opcode.TEXT, b"x")[1:], id="unknown data"),
        pytest.param(b"\x8b" + wire(Opcode.TEXT, b"x")[1:], id="unknown control"),
        pytest.param(b"\x09" + wire(Opcode.PING, b"x")[1:], id="ping in pieces"),
        pytest.param(wire(Opcode.CONT, b"x"), id="continues nothing"),
        pytest.param(wire(Opcode.TEXT, b"x", fin=False) + wire(Opcode.TEXT, b"x"), id="not ended"),
        pytest.param(b"\x89\xfe\x00\x7e1234" + bytes(126), id="long ping"),
        pytest.param(b"\x82\xff" + b"\xff" * 8 + b"1234", id="negative length"),
    ],
)
def test_what_breaks_the_protocol(bad: bytes) -> None:
    good = wire(Opcode.TEXT, b"before")
    for step in (1, 3, 1000):
        passed: list[bytes] = []
        with pytest.raises(Violation) as raised:
            feed(good + bad, step, passed)
        assert raised.value.code == PROTOCOL_ERROR
        before = b"".join(passed) + raised.value.passed
        assert before.startswith(good)
        assert len(before) < len(good + bad)


def feed(data: bytes, step: int, passed: list[bytes]) -> None:
    """Feed what a caller sends, in pieces of so many bytes."""
    frames = Frames(is_masked=True)
    for start in range(0, len(data), step):
        passed.append(frames.feed(data[start : start + step]))


def test_service_must_not_mask() -> None:
    with pytest.raises(Violation):
        Frames(is_masked=False).feed(wire(Opcode.TEXT, b"x"))


@pytest.mark.parametrize("pieces", [[1001], [600, 401], [1000, 0, 1]])
def test_messages_over_the_limit(pieces: list[int]) -> None:
    fitting = stream((Opcode.BINARY, [bytes(1000)], [(Opcode.PING, bytes(125))]), mask=True)
    frames = Frames(is_masked=True, limit=1000)
    assert frames.feed(fitting * 3) == fitting * 3
    with pytest.raises(Violation) as raised:
        frames.feed(stream((Opcode.TEXT, [bytes(size) for size in pieces], []), mask=True))
    assert raised.value.code == TOO_BIG


@pytest.mark.parametrize("mask", [b"", b"\x01\x02\x03\xff"])
@pytest.mark.parametrize("reason", ["", "going", "x" * 123])
def test_close_frames_are_read_by_others(mask: bytes, reason: str) -> None:
    reader = StreamReader()
    reader.feed_data(close_frame(1001, reason, mask))
    reader.feed_eof()
    parsing = Frame.parse(reader.read_exact, mask=bool(mask))
    with pytest.raises(StopIteration) as stopped:
        next(parsing)
    frame = stopped.value.value
    assert frame.opcode is Opcode.CLOSE
    assert Close.parse(frame.data) == Close(1001, reason)
    assert not reader.buffer
