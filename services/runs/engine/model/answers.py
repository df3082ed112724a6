"""Reading what a model wrote. What is not exactly as it should be is refused as a whole."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from services.runs.engine.model.models import (
    LONGEST_SENTENCE,
    LONGEST_WHY,
    MOST_ACTIONS,
    Action,
    Explanation,
    ModelFailed,
    ProposedActions,
)

NOT_UNDERSTOOD: Final = "The model's answer is outside what it may say."

_FENCED: Final = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)
_UNFIT: Final = re.compile("[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]+")


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


_Ref = Annotated[str, Field(pattern=r"^e[0-9]{1,4}$")]
_Value = Annotated[str, Field(min_length=1, max_length=2_000)]


class _Click(_Said):
    do: Literal["click"]
    ref: _Ref


class _Enter(_Said):
    do: Literal["fill", "select"]
    ref: _Ref
    value: _Value


class _Press(_Said):
    do: Literal["press"]
    ref: _Ref | None = None
    value: _Value


class _Open(_Said):
    do: Literal["open"]
    value: _Value


class _Actions(_Said):
    actions: Annotated[
        list[Annotated[_Click | _Enter | _Press | _Open, Field(discriminator="do")]],
        Field(max_length=MOST_ACTIONS),
    ]


class Vote(_Said):
    """One vote on a claim."""

    verdict: Literal["passed", "failed", "unclear"]
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    why: str = ""


_Sentence = Annotated[str, Field(min_length=1, max_length=4_000)]


class _Cause(_Said):
    suspected_cause: _Sentence
    suggested_fix: _Sentence


SaidT = TypeVar("SaidT", bound=_Said)


def read_actions(text: str) -> ProposedActions:
    """Read an answer to a step.

    Raises:
        ModelFailed: it is none.
    """
    said = _read(text, _Actions)
    found = (each.model_dump(exclude_none=True) for each in said.actions)
    return ProposedActions(tuple(Action(**each) for each in found))


def read_vote(text: str) -> Vote:
    """Read an answer to a claim; ``why`` is made one line that can be shown.

    Raises:
        ModelFailed: it is none.
    """
    vote = _read(text, Vote)
    return vote.model_copy(update={"why": _UNFIT.sub(" ", vote.why)[:LONGEST_WHY]})


def read_explanation(text: str) -> Explanation:
    """Read an answer to why a case did not pass; both sentences are made one line.

    Raises:
        ModelFailed: it is none.
    """
    said = _read(text, _Cause)
    cause, fix = (
        " ".join(_UNFIT.sub(" ", each).split())
        for each in (said.suspected_cause, said.suggested_fix)
    )
    if not cause or not fix:
        raise ModelFailed(NOT_UNDERSTOOD)
    return Explanation(cause[:LONGEST_SENTENCE], fix[:LONGEST_SENTENCE])


def _read(text: str, kind: type[SaidT]) -> SaidT:
    inside = _FENCED.fullmatch(text)
    try:
        document: Any = from_json(inside[1] if inside else text, allow_inf_nan=False)
        return kind.model_validate(document)
    except (ValidationError, ValueError):
        raise ModelFailed(NOT_UNDERSTOOD) from None
