"""The built-in provider: no model, no network but the tools that a message asks for."""

from __future__ import annotations

from collections.abc import Sequence

from services.agents.providers.models import Answered, Question, Usage
from services.agents.providers.operations.calling import Toolbox
from services.agents.providers.rules import builtin
from services.agents.providers.rules.builtin import Wanted
from services.agents.providers.rules.texts import storable


async def answer(question: Question, toolbox: Toolbox, notes: Sequence[str]) -> Answered:
    """Answer; the same question has the same answer, as far as tools have."""
    found = builtin.understood(question, toolbox.tools)
    if isinstance(found, Wanted):
        arguments = builtin.arguments_of(found.tool, found.words)
        called = await toolbox.call(found.tool.name, arguments)
        text, memory = builtin.after_call(question, found.tool, called.text), question.memory
    else:
        text, memory = found.text, found.memory
    return Answered(storable(text), Usage(), memory, tuple(notes))
