"""A test account that comes with a run: logged in like one that a suite names."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.runs.engine.grammar.models import Login, Suite
from services.runs.engine.running.models import Assignment

# No suite can give these names to anything of its own; the second one is that of a secret.
_USERNAME: Final = "plan.username"
_PASSWORD: Final = "plan.password"  # noqa: S105 - a name
_PATH: Final = "plan.login_path"


def with_account(assignment: Assignment, suite: Suite) -> tuple[Assignment, Suite]:
    """Have a run's account logged in before its cases.

    It stands in for the suite's own; a case that names another keeps that. Its values become
    variables, because a login is made of templates and a password may look like one.
    """
    account = assignment.account
    if account is None:
        return assignment, suite
    values = {_USERNAME: account.username, _PASSWORD: account.password}
    if account.login_path is not None:
        values[_PATH] = account.login_path
    login = Login(
        f"${{{_USERNAME}}}",
        f"${{{_PASSWORD}}}",
        None if account.login_path is None else f"${{{_PATH}}}",
    )
    cases = tuple(
        replace(case, login=login) if case.login in (None, suite.login) else case
        for case in suite.cases
    )
    return (
        replace(assignment, variables={**assignment.variables, **values}),
        replace(suite, login=login, cases=cases),
    )
