"""Putting a question: what of a page a model is shown, and under which names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.runs.engine.model.enforcing import hidden, values_of
from services.runs.engine.model.models import (
    LONGEST_TEXT,
    MOST_CHOICES,
    Choice,
    ClaimQuestion,
    ModelFailed,
    StepQuestion,
)
from services.runs.engine.resolver.models import Candidate

Mask = Callable[[str], str]
"""Replaces every secret value in a text."""

UNTELLABLE: Final = "A secret step is shown to a model only if its value stands in quotes."

_ENTERED: Final = frozenset({"select", "input", "textarea"})
_UNTYPED: Final = frozenset({"button", "submit", "reset", "image", "file", "checkbox", "radio"})
_PASSWORD: Final = "password"  # noqa: S105 - an input's type


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """A question, and which candidate each of its references means."""

    question: StepQuestion
    candidates: Mapping[str, Candidate]


def step_question(
    step: str,
    url: str,
    title: str,
    candidates: Sequence[Candidate],
    mask: Mask,
    *,
    secret: bool = False,
    done: Sequence[str] = (),
) -> Asked:
    """Ask what is to be done for a step.

    Args:
        step: its template; no value has been filled in.
        url: of the page.
        title: likewise.
        candidates: those of the page; what nobody can use is left out.
        mask: takes secrets out of whatever the page shows.
        secret: whether what stands in the step's quotes is secret.
        done: what was done for it before.

    Raises:
        ModelFailed: the step is secret, and nothing tells its values from its words.
    """
    values = values_of(step, secret=secret)
    if secret and not values:
        raise ModelFailed(UNTELLABLE)
    usable = [each for each in candidates if each.visible and each.enabled and _is_usable(each)]
    usable.sort(key=lambda each: (not each.in_top_dialog, not each.in_viewport, each.order))
    shown = {f"e{number}": each for number, each in enumerate(usable[:MOST_CHOICES], 1)}
    question = StepQuestion(
        mask(hidden(step) if secret else step),
        values,
        mask(url),
        mask(title),
        tuple(_choice(ref, each, mask) for ref, each in shown.items()),
        tuple(mask(each) for each in done),
    )
    return Asked(question, shown)


def claim_question(
    claim: str, url: str, title: str, text: str, mask: Mask, notices: Sequence[str] = ()
) -> ClaimQuestion:
    """Ask whether a claim holds; the texts of the page are masked here."""
    # Masked before it is cut: half a secret would not be recognized.
    return ClaimQuestion(
        mask(claim),
        mask(url),
        mask(title),
        mask(text)[:LONGEST_TEXT],
        tuple(mask(each) for each in notices),
    )


def _is_usable(candidate: Candidate) -> bool:
    return candidate.role != "text"


def _choice(ref: str, candidate: Candidate, mask: Mask) -> Choice:
    words = (
        candidate.description,
        candidate.heading,
        candidate.neighbour,
        candidate.row_text,
        candidate.landmark,
    )
    is_password = candidate.input_type == _PASSWORD
    return Choice(
        ref,
        candidate.role,
        mask(candidate.name),
        mask("; ".join(each for each in words if each)),
        "" if is_password else mask(candidate.value),
        candidate.input_type,
        mask(candidate.href),
        _is_editable(candidate),
    )


def _is_editable(candidate: Candidate) -> bool:
    if candidate.input_type in _UNTYPED:
        return False
    return candidate.editable or candidate.tag in _ENTERED or candidate.role == "combobox"
