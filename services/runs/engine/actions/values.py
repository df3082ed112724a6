"""Values on their way into fields: where they come from, and which field fits (contract 5.4)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from services.runs.engine.actions.acting import Hand
from services.runs.engine.actions.locating import PAUSE
from services.runs.engine.actions.models import Impossible, Scene
from services.runs.engine.language.filling import fill_target
from services.runs.engine.language.models import Target, Value
from services.runs.engine.resolver.assigning import assign_values
from services.runs.engine.resolver.models import Candidate, Entry, Unassignable

_WHOLE: Final = re.compile(r"\$\{\s*([^{}$]+?)\s*\}")


def variable_of(value: Value) -> str | None:
    """Give the name of the one variable that a value is, if it is one."""
    if value.variable is not None:
        return value.variable
    whole = _WHOLE.fullmatch(value.template)
    return None if whole is None else whole[1]


def entry_of(scene: Scene, value: Value, field: Target | None) -> Entry:
    """Put a value in, and keep where it comes from."""
    fill = scene.variables.fill
    variable = variable_of(value)
    origin = None if variable is None else scene.variables.origin(variable)
    return Entry(
        value=Value(value.template, variable),
        field=None if field is None else fill_target(field, fill),
        kind="" if origin is None else origin.kind,
        generator=None if origin is None else origin.generator,
        text=fill(value.template),
    )


async def wait_for_fields(
    hand: Hand, entries: Sequence[Entry]
) -> tuple[tuple[Entry, Candidate], ...]:
    """Read the page until each value has its field, at most the step's timeout.

    Raises:
        Impossible: values and fields do not come out even.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + hand.scene.timeout
    while True:
        reading = await hand.stage.read()
        form = hand.scene.last_form or reading.focused_form
        outcome = assign_values(entries, reading.candidates, form)
        if not isinstance(outcome, Unassignable):
            return outcome
        if clock() >= deadline:
            raise Impossible(outcome.reason, outcome.message, outcome.candidates)
        await asyncio.sleep(PAUSE)
