"""What the two wires have in common: a conversation, and what a model says next.

A wire turns a conversation into a request's body and an answer's document into ``Said``. It never
trusts a document: whatever is not as it should be is ``Garbage``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeGuard

from services.agents.providers.rules.tools import Tool

MOST_CALLS_AT_ONCE: Final = 16
"""Calls of one answer that are looked at."""

MOST_TOKENS: Final = 1_000_000_000
"""More than any answer takes; larger counts are not believed."""

LONGEST_ID: Final = 256


class Garbage(Exception):
    """An answer that is not what the wire promises."""


@dataclass(frozen=True, slots=True, repr=False)
class Spoken:
    """Something that was said."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """A tool that the model wants called; ``arguments`` are the text of what should be JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, repr=False)
class Said:
    """What a model said.

    Attributes:
        text: may be empty where it calls tools.
        calls: the tools that it wants called.
        is_cut: whether the service ended it for its length.
    """

    text: str
    calls: tuple[Call, ...] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """What came of a call."""

    call: Call
    text: str
    is_error: bool


@dataclass(frozen=True, slots=True, repr=False)
class Results:
    """What came of all calls of one answer, in its order."""

    each: tuple[Result, ...]


Part: TypeAlias = Spoken | Said | Results


@dataclass(frozen=True, slots=True, repr=False)
class Conversation:
    """What a model is asked.

    Attributes:
        model: its name at the service.
        system: the text that stands over the conversation.
        parts: what was said and done so far; a user's part first and last.
        tools: those it may call.
        may_call: whether it may still do so.
        most_tokens: of its answer, where the wire must say.
    """

    model: str
    system: str
    parts: Sequence[Part]
    tools: Sequence[Tool]
    may_call: bool
    most_tokens: int


class Wire(Protocol):
    """How a kind of model service is spoken to."""

    @property
    def path(self) -> str:
        """What follows the service's address."""

    def headers(self, key: str | None) -> Mapping[str, str]:
        """Give the headers of every request."""

    def body(self, conversation: Conversation) -> dict[str, Any]:
        """Give the body of a request."""

    def tokens(self, document: Mapping[str, Any]) -> tuple[int, int]:
        """Give the tokens that an answer says were read and written; what it does not say is 0."""

    def said(self, document: Mapping[str, Any]) -> Said:
        """Read an answer.

        Raises:
            Garbage: it is none.
        """


def count(usage: Any, *names: str) -> int:
    """Add up the counts of tokens under these names."""
    if not isinstance(usage, dict):
        return 0
    values = (usage.get(name) for name in names)
    return sum(value for value in values if _is_count(value))


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS


def object_in(value: Any) -> dict[str, Any]:
    """Give what must be an object."""
    if not isinstance(value, dict):
        raise Garbage
    return value


def list_in(value: Any) -> list[Any]:
    """Give what must be a list."""
    if not isinstance(value, list):
        raise Garbage
    return value


def text_in(value: Any) -> str:
    """Give what must be a text."""
    if not isinstance(value, str):
        raise Garbage
    return value


def id_in(value: Any, number: int) -> str:
    """Give a call's id; services that send none get one by the call's number."""
    if value is None or value == "":
        return f"call_{number}"
    if len(text_in(value)) > LONGEST_ID:
        raise Garbage
    return str(value)
