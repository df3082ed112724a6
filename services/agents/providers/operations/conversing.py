"""A conversation with a model: it is asked, calls tools, is asked again, and answers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from services.agents.providers.models import Answered, ProviderFailed, Question, Usage
from services.agents.providers.operations.calling import Toolbox
from services.agents.providers.rules.choosing import cost_of
from services.agents.providers.rules.prompts import fenced, spoken, system_text
from services.agents.providers.rules.texts import storable
from services.agents.providers.rules.wires import (
    Call,
    Conversation,
    Garbage,
    Part,
    Result,
    Results,
    Said,
    Wire,
)
from shared.model_service import GARBAGE, Endpoint, ModelServiceFailed
from shared.prices import Price

MOST_ROUNDS: Final = 5
"""Times that a model may call tools; then it must answer."""

CUT_SHORT: Final = "The model's answer was cut short, because it was too long."


@dataclass(slots=True)
class Tally:
    """What a turn has used so far, also if it comes to nothing."""

    usage: Usage = field(default_factory=Usage)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, repr=False)
class Model:
    """A model of a service.

    Attributes:
        name: at the service.
        wire: how the service is spoken to.
        endpoint: where.
        prices: what it costs.
        most_tokens: of one answer, where the wire must say.
    """

    name: str
    wire: Wire
    endpoint: Endpoint
    prices: Sequence[Price]
    most_tokens: int


async def converse(
    model: Model, question: Question, toolbox: Toolbox, tally: Tally, deadline: float
) -> Answered:
    """Have a model answer; what that uses is added to ``tally`` as it goes.

    Raises:
        ProviderFailed: it gave no answer.
    """
    fence = f"data-{secrets.token_hex(8)}"
    system = system_text(question, fence)
    parts: list[Part] = [*spoken(question)]
    for number in range(MOST_ROUNDS + 1):
        may_call = bool(toolbox.tools) and number < MOST_ROUNDS
        conversation = Conversation(
            model.name, system, parts, toolbox.tools, may_call, model.most_tokens
        )
        said = await _ask(model, conversation, tally, deadline)
        if not said.calls or not may_call:
            return _answer(said, question, tally)
        results = [await _call(toolbox, call, fence) for call in said.calls]
        parts += [said, Results(tuple(results))]
    raise AssertionError("the last round answers")


async def _ask(model: Model, conversation: Conversation, tally: Tally, deadline: float) -> Said:
    body = json.dumps(model.wire.body(conversation), ensure_ascii=False, separators=(",", ":"))
    content = body.encode(errors="replace")
    try:
        document = await model.endpoint.ask(content, deadline)
    except ModelServiceFailed as failed:
        raise ProviderFailed(failed.reason) from None
    # Before the rest is read: what was paid for counts whatever it is worth.
    read, written = model.wire.tokens(document)
    tally.usage += cost_of(model.name, read, written, model.prices)
    try:
        return model.wire.said(document)
    except Garbage:
        raise ProviderFailed(GARBAGE) from None


async def _call(toolbox: Toolbox, call: Call, fence: str) -> Result:
    called = await toolbox.call(call.name, call.arguments)
    return Result(call, fenced(called.text, fence), called.is_error)


def _answer(said: Said, question: Question, tally: Tally) -> Answered:
    text = storable(said.text)
    if not text.strip():
        if said.calls:
            raise ProviderFailed("The model kept calling tools and gave no answer.")
        raise ProviderFailed("The model gave an empty answer.")
    notes = [*tally.notes, CUT_SHORT] if said.is_cut else tally.notes
    return Answered(text, tally.usage, question.memory, tuple(notes))
