"""What a model may be asked and may answer.

Both are plain data, because the question is put where the page is and answered where the key is.
Nothing here shows its content in a ``repr``: what stands on pages does not belong in logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

MOST_ACTIONS: Final = 12
"""Of one answer, because a step may take no more (contract, section 16)."""

MOST_CHOICES: Final = 200
"""Elements of a page that a model is shown; those in view come first."""

LONGEST_TEXT: Final = 20_000
"""Characters of a page's text that a model is shown."""

LONGEST_WHY: Final = 300

LONGEST_SENTENCE: Final = 600
"""Characters of a cause, and of what to do about it."""

MOST_LINES: Final = 40
"""Lines of a log that a model is shown."""

Verb = Literal["click", "fill", "select", "press", "open"]


@dataclass(frozen=True, slots=True, repr=False)
class Choice:
    """An element that a model may name, as it is shown it: masked, and by a reference of ours.

    Attributes:
        ref: ``e1``, ``e2``, ... in the question's order.
        role: as the page says.
        name: likewise.
        hint: more words about it: description, heading, the text beside it or of its row.
        value: what stands in it; nothing of a password.
        kind: an input's type.
        href: where a link leads.
        is_editable: whether something can be typed or picked there.
    """

    ref: str
    role: str
    name: str
    hint: str = ""
    value: str = ""
    kind: str = ""
    href: str = ""
    is_editable: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Named:
    """A value of the step, by the name under which a model may use it.

    Attributes:
        name: ``v1``, ``v2``, ...
        shown: how the model sees it: a placeholder, a text in quotes, or only the mask.
        template: what is filled in where it is used; it never leaves the engine.
    """

    name: str
    shown: str
    template: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class StepQuestion:
    """What is to be done on this page for a step?

    Attributes:
        step: its English, with placeholders instead of values, and masked where it is secret.
        values: of the step; a model can use no others.
        url: of the page, masked.
        title: likewise.
        choices: the page's elements.
        done: what was done for the step before, masked, oldest first.
    """

    step: str
    values: tuple[Named, ...]
    url: str
    title: str
    choices: tuple[Choice, ...]
    done: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class ClaimQuestion:
    """Does a claim hold on this page? All texts masked; ``notices`` are what flashed up."""

    claim: str
    url: str
    title: str
    text: str
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class CauseQuestion:
    """Why did a case not pass? All texts masked; rules have given an answer already.

    Attributes:
        category: of the failure, by rule.
        suspected: what the rules say.
        fix: likewise.
        failed: the step or expectation that failed.
        observed: what was there instead.
        request: the request that failed, and how.
        server_error: what the application's log says.
        lines: of that log, oldest first.
        console: what the page wrote as errors.
    """

    category: str
    suspected: str
    fix: str
    failed: str = ""
    observed: str = ""
    request: str = ""
    server_error: str = ""
    lines: tuple[str, ...] = ()
    console: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """What a model suspects, and what it would do: two sentences or so each."""

    suspected_cause: str
    suggested_fix: str


@dataclass(frozen=True, slots=True, repr=False)
class Action:
    """One thing to do, in the only words there are.

    Attributes:
        do: what.
        ref: the element's; "" for ``open``, and for ``press`` on whatever has the focus.
        value: a value's name, or words of the step, for ``fill`` and ``select``; the keys for
            ``press``; an address for ``open``.
    """

    do: Verb
    ref: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class ProposedActions:
    """What a model wants done, in order; none: it does not know."""

    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Opinion:
    """What a model says of a claim.

    Attributes:
        passed: whether it holds.
        confidence: 0 to 1; of several votes, those of the winning side over all.
        why: for people.
    """

    passed: bool
    confidence: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What was asked and read and written, and its cost in millionths of a US dollar."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0

    @property
    def tokens(self) -> int:
        """Give what was read and written together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use; the call during which a limit is reached is the last."""

    calls: int = 200
    tokens: int = 1_000_000
    seconds: float = 60.0


class ModelFailed(Exception):
    """There is no answer that can be used. ``reason`` is a sentence for people, without secrets."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Model(Protocol):
    """Whoever answers. What it answers is a proposal: ``allowed`` is asked before each action."""

    async def steps(self, question: StepQuestion) -> ProposedActions:
        """Say what is to be done.

        Raises:
            ModelFailed: there is no answer, or none in the vocabulary.
        """

    async def judge(self, question: ClaimQuestion) -> Opinion:
        """Say whether a claim holds; that it does not only after three votes.

        Raises:
            ModelFailed: there is no answer, or none that decides.
        """
