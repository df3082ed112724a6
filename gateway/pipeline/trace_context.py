"""W3C Trace Context, level 1: which ``traceparent`` and ``tracestate`` a service is told.

A caller's is passed on unchanged when it is valid; one of ours begins where it is not. A
``tracestate`` is only ever passed beside the ``traceparent`` it belongs to. Versions to come are
read by what version 00 knows of them, as section 4.1 of the specification asks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Final

# Longer texts are for later versions only, and 255 is no version.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})"
    rb"-(?P<parent>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    rb"(?P<more>-[\x20-\x7e]*)?"
)
_FIRST_VERSION: Final = b"00"

# The quick generator: names of traces are no secrets, they only must not repeat.
_names: Final = Random(SystemRandom().getrandbits(64))  # noqa: S311


@dataclass(frozen=True, slots=True)
class Parent:
    """A caller's span.

    Attributes:
        trace: 128 bits.
        span: 64 bits.
        is_sampled: whether the caller records.
    """

    trace: int
    span: int
    is_sampled: bool


def parent_of(values: Sequence[bytes]) -> Parent | None:
    """Read the values of ``traceparent``; None unless there is one, and valid."""
    found = _match(values)
    if found is None:
        return None
    is_sampled = bool(int(found["flags"], 16) & 1)
    return Parent(int(found["trace"], 16), int(found["parent"], 16), is_sampled)


def passed_on(parents: Sequence[bytes], states: Sequence[bytes]) -> bytes:
    """Write the header lines for a service, each after a line end; empty without a valid parent.

    Args:
        parents: the values of ``traceparent`` as they came.
        states: the values of ``tracestate``, which one after the other are one list.
    """
    if _match(parents) is None:
        return b""
    return b"".join(
        (b"\r\ntraceparent: ", parents[0], *(b"\r\ntracestate: " + state for state in states))
    )


def begun() -> bytes:
    """Write the header line of a trace that begins here and is not recorded, after a line end."""
    digits = b"%048x" % _names.getrandbits(192)
    return b"\r\ntraceparent: 00-%b-%b-00" % (digits[:32], digits[32:])


def new_trace() -> int:
    """Name a trace."""
    return _names.getrandbits(128) or 1


def new_span() -> int:
    """Name a span."""
    return _names.getrandbits(64) or 1


def _match(values: Sequence[bytes]) -> re.Match[bytes] | None:
    if len(values) != 1:
        return None
    found = _TRACEPARENT.fullmatch(values[0])
    if found is not None and found["more"] is not None and found["version"] == _FIRST_VERSION:
        return None
    return found
