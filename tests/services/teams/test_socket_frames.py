"""What passes over a socket, read and written (teams contract, section 10.2)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import TEXT, Frame

from services.teams.socket import frames
from services.teams.socket.frames import BadFrame, Message, Push

HEARTBEAT = '[null,"7","phoenix","heartbeat",{}]'


def payload_of(frame: bytes) -> object:
    """The JSON in an unmasked text frame."""
    start = {126: 4, 127: 10}.get(frame[1], 2)
    assert frame == Frame(TEXT, frame[start:]).serialize(mask=False)
    return json.loads(frame[start:])


def test_a_message_is_read() -> None:
    message = frames.read(HEARTBEAT)
    assert message == Message(None, "7", "phoenix", "heartbeat", {}, len(HEARTBEAT))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[",
        "null",
        "{}",
        "[]",
        '"text"',
        '[null,"1","phoenix","heartbeat"]',
        '[null,"1","phoenix","heartbeat",{},null]',
        '[1,"1","phoenix","heartbeat",{}]',
        '[null,1,"phoenix","heartbeat",{}]',
        '[null,true,"phoenix","heartbeat",{}]',
        '[null,["1"],"phoenix","heartbeat",{}]',
        '[null,"1",null,"heartbeat",{}]',
        '[null,"1","phoenix",5,{}]',
        '[null,"1","phoenix","heartbeat",[]]',
        '[null,"1","phoenix","heartbeat",null]',
        '[null,"1","phoenix","heartbeat",{"a":NaN}]',
        '[null,"1","phoenix","heartbeat",{"a":-Infinity}]',
        '[null,"1","phoenix","heartbeat",{"a":' + "9" * 5_000 + "}]",
        '[null,"1","phoenix","heartbeat",{"a":' + "[" * 50_000 + "]" * 50_000 + "}]",
        "[" * 250_000,
        json.dumps([None, "r" * 129, "phoenix", "heartbeat", {}]),
        json.dumps(["j" * 129, "1", "phoenix", "heartbeat", {}]),
        json.dumps([None, "1", "t" * 257, "heartbeat", {}]),
        json.dumps([None, "1", "phoenix", "e" * 257, {}]),
    ],
    ids=lambda text: text[:60],
)
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(BadFrame):
        frames.read(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        frames.read(text)
    except BadFrame:
        return


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.lists(json_values, max_size=6))
def test_any_array_is_read_or_refused(parts: list[object]) -> None:
    try:
        message = frames.read(json.dumps(parts))
    except BadFrame:
        return
    assert [message.join_ref, message.ref, message.topic, message.event] == parts[:4]


refs = st.none() | st.text(max_size=128)


@given(refs, refs, st.text(max_size=256))
def test_a_reply_echoes_both_refs_and_the_topic(
    join_ref: str | None, ref: str | None, topic: str
) -> None:
    asked = frames.read(json.dumps([join_ref, ref, topic, "x", {}]))
    assert payload_of(frames.ok(asked)) == [
        join_ref,
        ref,
        topic,
        "phx_reply",
        {"status": "ok", "response": {}},
    ]
    assert payload_of(frames.error(asked, "not_found")) == [
        join_ref,
        ref,
        topic,
        "phx_reply",
        {"status": "error", "response": {"reason": "not_found"}},
    ]


def test_half_a_surrogate_pair_is_echoed() -> None:
    asked = frames.read('[null,"\\ud800","t","x",{}]')
    assert b'"\\ud800"' in frames.ok(asked)


def test_the_ends_of_a_topic() -> None:
    assert payload_of(frames.closed("1", "t")) == ["1", "1", "t", "phx_close", {}]
    assert payload_of(frames.closed(None, "t")) == [None, None, "t", "phx_close", {}]
    assert payload_of(frames.crashed("1", "t")) == ["1", "1", "t", "phx_error", {}]


@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 127, 65_535, 65_536, 100_000])
def test_frames_of_every_length_are_as_the_library_writes_them(size: int) -> None:
    assert frames.framed(b"x" * size) == Frame(TEXT, b"x" * size).serialize(mask=False)


@pytest.mark.parametrize("size", [0, 40, 50, 60, 70, 65_450, 65_500, 100_000])
def test_a_push_shares_its_payload_between_sockets(size: int) -> None:
    content = json.dumps({"content": "x" * size}).encode()
    push = Push("knowledge:t", "knowledge:updated", content)
    pieces = [push.pieces(ref) for ref in ("1", "1", "22", None)]
    for ref, (head, tail) in zip(("1", "1", "22", None), pieces, strict=True):
        assert tail is pieces[0][1]
        assert payload_of(head + tail) == [
            ref,
            None,
            "knowledge:t",
            "knowledge:updated",
            {"content": "x" * size},
        ]
    assert pieces[0][0] is pieces[1][0]


def test_refs_that_differ_do_not_fill_memory() -> None:
    push = Push("knowledge:t", "e", b"{}")
    for number in range(1_000):
        push.pieces(str(number))
    assert len(push._heads) <= 64
