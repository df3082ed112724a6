"""Questions and answers as plain data, for the pipe between a run's process and who has the key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from services.runs.engine.model.models import (
    CauseQuestion,
    ClaimQuestion,
    Explanation,
    Model,
    ModelFailed,
    Named,
    Opinion,
    ProposedActions,
    StepQuestion,
)

Kind = Literal["steps", "judge", "cause"]
Ask = Callable[[Kind, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Puts a question, and gives the answer or raises ``ModelFailed``."""

ReadT = TypeVar("ReadT")

_STEP: Final[TypeAdapter[StepQuestion]] = TypeAdapter(StepQuestion)
_CLAIM: Final[TypeAdapter[ClaimQuestion]] = TypeAdapter(ClaimQuestion)
_ACTIONS: Final[TypeAdapter[ProposedActions]] = TypeAdapter(ProposedActions)
_CAUSE: Final[TypeAdapter[CauseQuestion]] = TypeAdapter(CauseQuestion)
_EXPLANATION: Final[TypeAdapter[Explanation]] = TypeAdapter(Explanation)
_OPINION: Final[TypeAdapter[Opinion]] = TypeAdapter(Opinion)
_STRANGE: Final = "The question cannot be understood."


class Distant:
    """A ``Model`` on the other end of a pipe. Templates of values stay on this end."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def steps(self, question: StepQuestion) -> ProposedActions:
        """See ``Model``."""
        shown = tuple(Named(each.name, each.shown) for each in question.values)
        asked = replace(question, values=shown)
        return _read(_ACTIONS, await self._ask("steps", asdict(asked)))

    async def judge(self, question: ClaimQuestion) -> Opinion:
        """See ``Model``."""
        return _read(_OPINION, await self._ask("judge", asdict(question)))


async def answer(model: Model, kind: Kind, question: Mapping[str, Any]) -> dict[str, Any]:
    """Answer what came over the pipe.

    Raises:
        ModelFailed: there is no answer.
    """
    if kind == "steps":
        return asdict(await model.steps(_read(_STEP, question)))
    return asdict(await model.judge(_read(_CLAIM, question)))


def read_cause(question: Mapping[str, Any]) -> CauseQuestion:
    """Read a question about a cause.

    Raises:
        ModelFailed: it is none.
    """
    return _read(_CAUSE, question)


def read_explanation(answer: Mapping[str, Any]) -> Explanation:
    """Read the answer to it.

    Raises:
        ModelFailed: it is none.
    """
    return _read(_EXPLANATION, answer)


def _read(adapter: TypeAdapter[ReadT], value: Mapping[str, Any]) -> ReadT:
    try:
        return adapter.validate_python(value)
    except ValidationError:
        raise ModelFailed(_STRANGE) from None
