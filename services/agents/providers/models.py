"""What a provider is asked and what it answers (agents contract, section 6).

Nothing here shows its content in a ``repr``: prompts and messages do not belong in logs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

LONGEST_MESSAGE: Final = 100_000
"""Characters of a message, whoever wrote it."""

BUILTIN: Final = "builtin"
"""The model that every installation has."""

DEFAULT: Final = "default"
"""Stands for the model that the settings name."""


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """An earlier message of the session.

    Attributes:
        role: whose it was.
        name: the agent's, or how the person is shown.
        content: the text as it is stored.
    """

    role: Literal["USER", "AGENT", "SYSTEM"]
    name: str
    content: str


@dataclass(frozen=True, slots=True, repr=False)
class Passage:
    """Something found in a knowledge base.

    Attributes:
        source: where, such as ``learnings``.
        title: a line that names it.
        text: what it says.
    """

    source: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Speaker:
    """The agent that answers; ``tools`` and ``guardrails`` are whatever JSON was stored."""

    name: str
    instructions: str
    model: str
    tools: Any = ()
    guardrails: Any = ()


ASSISTANT: Final = Speaker("assistant", "", DEFAULT)
"""Who answers in a session without agents."""


@dataclass(frozen=True, slots=True, repr=False)
class Question:
    """One turn.

    Attributes:
        turn_id: the same when the turn is repeated; tools are told it.
        agent: who answers.
        starting_prompt: of the session.
        history: what was said before ``message``, oldest first.
        message: what is to be answered.
        passages: what the agent's knowledge bases have on it.
        memory: what the provider gave back last time in this session; empty at first.
        namespace: of the session; it has a share of what calls of tools there may be.
    """

    turn_id: str
    agent: Speaker
    starting_prompt: str
    history: Sequence[Line]
    message: str
    passages: Sequence[Passage] = ()
    memory: Mapping[str, Any] = field(default_factory=dict)
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written, and what they cost in millionths of a US dollar."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0

    def __add__(self, other: Self) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_micros + other.cost_micros,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Answered:
    """An answer.

    Attributes:
        text: not redacted and not yet held against the agent's guardrails: ``apply_output`` does.
        usage: over all that was asked of a model service, retries included.
        memory: all of it, to be handed to the session's next turn.
        notes: for the session's people: what was ignored, cut or done otherwise than asked.
        provider: who answered: ``builtin``, ``openai`` or ``anthropic``.
        model: what was really asked for there.
    """

    text: str
    usage: Usage
    memory: Mapping[str, Any]
    notes: Sequence[str] = ()
    provider: str = BUILTIN
    model: str = BUILTIN


class ProviderFailed(Exception):
    """There is no answer.

    Attributes:
        reason: a sentence for the session's people, without addresses and secrets.
        usage: what the attempt cost all the same.
    """

    def __init__(self, reason: str, usage: Usage = Usage()) -> None:
        self.reason = reason
        self.usage = usage
        super().__init__(reason)
