"""W3C Trace Context: the cases of the specification's own test suite that concern a forwarder."""

from __future__ import annotations

import re

import pytest

from gateway.pipeline.trace_context import begun, parent_of, passed_on

TRACE, SPAN = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
GOOD = b"00-%b-%b-01" % (TRACE, SPAN)


@pytest.mark.parametrize(
    "value",
    [
        GOOD,
        b"00-%b-%b-00" % (TRACE, SPAN),
        b"00-%b-%b-ff" % (TRACE, SPAN),
        b"01-%b-%b-01" % (TRACE, SPAN),
        b"cc-%b-%b-01-what-the-future-will-be-like" % (TRACE, SPAN),
        b"cc-%b-%b-01-" % (TRACE, SPAN),
        b"fe-%b-%b-01-x" % (TRACE, SPAN),
    ],
)
def test_a_valid_parent_is_passed_on_unchanged(value: bytes) -> None:
    assert passed_on([value], []) == b"\r\ntraceparent: " + value
    parent = parent_of([value])
    assert parent is not None
    assert (parent.trace, parent.span) == (int(TRACE, 16), int(SPAN, 16))
    assert parent.is_sampled is (value[53:55] in (b"01", b"ff"))


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [GOOD, GOOD],
        [b"ff-%b-%b-01" % (TRACE, SPAN)],
        [b"00-%b-%b-01-" % (TRACE, SPAN)],
        [b"00-%b-%b-01-what-the-future-will-be-like" % (TRACE, SPAN)],
        [b"cc-%b-%b-01.what" % (TRACE, SPAN)],
        [b"cc-%b-%b-01\xff" % (TRACE, SPAN)],
        [b"0-%b-%b-01" % (TRACE, SPAN)],
        [b".0-%b-%b-01" % (TRACE, SPAN)],
        [b"000-%b-%b-01" % (TRACE, SPAN)],
        [b"00-%b-%b-1" % (TRACE, SPAN)],
        [b"00-%b-%b-.0" % (TRACE, SPAN)],
        [b"00-%b-%b" % (TRACE, SPAN)],
        [b"00-%b-%b-01" % (b"0" * 32, SPAN)],
        [b"00-%b-%b-01" % (TRACE, b"0" * 16)],
        [b"00-%b-%b-01" % (TRACE[:-1], SPAN)],
        [b"00-%b-%b-01" % (TRACE + b"0", SPAN)],
        [b"00-%b-%b-01" % (TRACE[:-1] + b".", SPAN)],
        [b"00-%b-%b-01" % (TRACE, SPAN[:-1])],
        [GOOD.upper()],
        [b" " + GOOD],
        [GOOD + b"\n"],
        [GOOD + b"," + GOOD],
    ],
)
def test_an_invalid_parent_is_dropped_with_its_state(values: list[bytes]) -> None:
    assert parent_of(values) is None
    assert passed_on(values, [b"vendor=1"]) == b""


def test_one_of_ours_is_valid_not_recorded_and_another_each_time() -> None:
    assert re.fullmatch(rb"\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00", begun())
    assert len({begun() for _ in range(1000)}) == 1000


def test_state_goes_with_its_parent_in_the_order_it_came() -> None:
    assert passed_on([GOOD], [b"a=1,b=2", b"", b"c=3"]).split(b"\r\n") == [
        b"",
        b"traceparent: " + GOOD,
        b"tracestate: a=1,b=2",
        b"tracestate: ",
        b"tracestate: c=3",
    ]
