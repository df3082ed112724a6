"""Which values of a suite are secrets (section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from services.runs.engine.grammar.models import Step, Suite, UnknownName
from services.runs.engine.grammar.templates import references
from services.runs.engine.grammar.variables import Variables

_QUOTED: Final = re.compile(r"\"([^\"]+)\"|'([^']+)'|“([^”]+)”|`([^`]+)`")


def masked_values(
    suite: Suite,
    variables: Variables,
    typed: Callable[[str], Iterable[str] | None] | None = None,
) -> set[str]:
    """Give every value of a suite that must be shown nowhere, as far as it is known by now.

    Those are what ``Variables.secrets`` gives, the passwords of logins, and what secret steps type.
    What only a later capture or another row binds comes with that case's variables.

    Args:
        suite: whose steps and logins.
        variables: of the case, or of the suite before its first case.
        typed: gives the templates that a step types, or None for a step it cannot read; without
            it, and for such a step, everything in quotes counts.
    """
    found = variables.secrets()
    logins = {one.login for one in suite.cases} | {suite.login}
    for login in logins:
        if login is not None:
            found |= _filled([login.password], variables)
    for step in {step for case in suite.cases for step in case.steps if step.secret}:
        found |= secrets_of_step(step, variables, typed)
    return {value for value in found if value}


def secrets_of_step(
    step: Step,
    variables: Variables,
    typed: Callable[[str], Iterable[str] | None] | None = None,
) -> set[str]:
    """Give the values of a secret step: of all names in it, and of what it types."""
    templates = None if typed is None else typed(step.do)
    if templates is None:
        templates = [next(filter(None, groups)) for groups in _QUOTED.findall(step.do)]
    names = [f"${{{name}}}" for name in references(step.do)]
    return {value for value in _filled([*names, *templates], variables) if value}


def _filled(templates: Iterable[str], variables: Variables) -> set[str]:
    found = set()
    for template in templates:
        try:
            found.add(variables.fill(template))
        except UnknownName:
            continue  # it cannot be typed either
    return found
