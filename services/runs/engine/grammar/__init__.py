"""Suites as text: reading, judging, filling in. It knows no page and no browser."""

from __future__ import annotations

from services.runs.engine.grammar.environment import allowed_environment_name, environment_names
from services.runs.engine.grammar.making import make_fixtures
from services.runs.engine.grammar.masking import masked_values, secrets_of_step
from services.runs.engine.grammar.parsing import parse
from services.runs.engine.grammar.selection import components, select
from services.runs.engine.grammar.templates import references
from services.runs.engine.grammar.variables import Variables

__all__ = [
    "Variables",
    "allowed_environment_name",
    "components",
    "environment_names",
    "make_fixtures",
    "masked_values",
    "parse",
    "references",
    "secrets_of_step",
    "select",
]
