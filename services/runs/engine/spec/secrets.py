"""The secrets of a suite's text, and the variables of the environment that stand for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from services.runs.engine.grammar.models import Case, Step, Suite
from services.runs.engine.grammar.variables import is_secret_name
from services.runs.engine.language.models import Fill, Intent, LogIn, Search, Select
from services.runs.engine.spec.texts import SHORTEST, fragments
from services.runs.engine.spec.typescript import variable_name

MOST_SECRETS: Final = 500
"""Texts; each is looked for in every other text of the suite."""

_QUOTED: Final = re.compile(r"\"([^\"]+)\"|'([^']+)'|\u201c([^\u201d]+)\u201d|`([^`]+)`")


def typed(intents: tuple[Intent, ...]) -> list[str]:
    """Give the templates of all that a step types or picks."""
    found: list[str] = []
    for intent in intents:
        if isinstance(intent, Fill | LogIn):
            found += (value.template for value, _ in intent.values)
        elif isinstance(intent, Select):
            found.append(intent.option.template)
        elif isinstance(intent, Search):
            found.append(intent.value.template)
    return found


Read = Callable[[str], tuple[Intent, ...] | None]
"""Reads a step, each text once."""


def secrets_of(step: Step, read: Read) -> list[str]:
    """Give the secret texts of a step; of one that no rule reads, whatever stands in quotes."""
    if not step.secret:
        return []
    intents = read(step.do)
    templates = typed(intents) if intents else []
    if not templates:
        templates = [next(filter(None, groups)) for groups in _QUOTED.findall(step.do)]
    return [part for template in templates for part in fragments(template)]


def find_secrets(suite: Suite, read: Read) -> dict[str, str]:
    """Give the secret texts that must stand nowhere, each with its variable's name.

    Of more than ``MOST_SECRETS`` not all are given: such a suite cannot be exported.
    """
    found: dict[str, str] = {}
    for text, wanted in _secrets(suite, read):
        for part in fragments(text):
            if len(part) < SHORTEST or part in found:
                continue
            name, number = wanted, 2
            while name in found.values():
                name, number = f"{wanted}_{number}", number + 1
            found[part] = name
        if len(found) > MOST_SECRETS:
            break
    return found


def _secrets(suite: Suite, read: Read) -> Iterator[tuple[str, str]]:
    """Give each secret with the name that its variable should have."""
    for name, fixture in suite.fixtures.items():
        if fixture.kind == "literal" and is_secret_name(name):
            yield str(fixture.parameters["value"]), variable_name(name)
    for name, template in suite.env.items():
        if is_secret_name(name):
            yield template, variable_name(name)
    for login in (suite.login, *(case.login for case in suite.cases)):
        if login is not None:
            yield login.password, variable_name("login password")
    for case in suite.cases:
        yield from _secrets_of_case(case, read)


def _secrets_of_case(case: Case, read: Read) -> Iterator[tuple[str, str]]:
    for name, value in case.row.items():
        if is_secret_name(name):
            yield value, variable_name(case.id, name)
    for step in case.steps:
        for part in secrets_of(step, read):
            yield part, variable_name("secret", case.id, step.id)
