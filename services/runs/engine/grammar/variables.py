"""Names in templates, and the values that stand behind them (section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from services.runs.engine.grammar.environment import allowed_environment_name
from services.runs.engine.grammar.models import Origin, UnknownName
from services.runs.engine.grammar.templates import filled, references

_SECRET_PARTS: Final = ("password", "passwd", "passphrase", "secret", "token", "credential")
_SECRET_WORDS: Final = frozenset({"pass", "pwd", "pw", "key", "keys", "apikey", "pin", "otp"})
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_NOTHING: Final[Mapping[str, str]] = {}


def is_secret_name(name: str) -> bool:
    """Tell whether a variable's name says that its value is a secret."""
    if any(part in name.lower() for part in _SECRET_PARTS):
        return True
    return any(word.lower() in _SECRET_WORDS for word in _WORD.findall(name))


class Variables:
    """The values of one case: a capture wins over a fixture, that over a row's, that over ``env``.

    The mappings are looked at when a name is asked for, so a capture that is bound later is seen.

    Args:
        captures: bound by earlier cases.
        fixtures: made at the start of the run.
        env: the suite's templates; ``${X}`` in them is a fixture, else the process environment's.
        row: of the case's ``data``.
        given: with the request for the run; they win over ``env``.
        environment: the process environment's variables that ``env`` may take.
        generators: the fixtures' kinds by name.
    """

    def __init__(
        self,
        captures: Mapping[str, str],
        fixtures: Mapping[str, str],
        env: Mapping[str, str],
        row: Mapping[str, str],
        *,
        given: Mapping[str, str] = _NOTHING,
        environment: Mapping[str, str] = _NOTHING,
        generators: Mapping[str, str] = _NOTHING,
    ) -> None:
        self._captures = captures
        self._fixtures = fixtures
        self._env = env
        self._row = row
        self._given = given
        self._environment = environment
        self._generators = generators

    def fill(self, template: str) -> str:
        """Put the values in; a value is never looked through for names again.

        Raises:
            UnknownName: for the first name that nothing binds.
        """
        return filled(template, self._value)

    def origin(self, name: str) -> Origin | None:
        """Say where a name's value comes from; None if nothing binds it."""
        if name in self._captures:
            return Origin("capture")
        if name in self._fixtures:
            return Origin("fixture", self._generators.get(name))
        if name in self._row:
            return Origin("row")
        return Origin("env") if name in self._given or name in self._env else None

    def secrets(self) -> set[str]:
        """Give the values that are secret by their kind or name: passwords, tokens and the like."""
        found = {
            value
            for name, value in self._fixtures.items()
            if self._generators.get(name) == "password" or is_secret_name(name)
        }
        for values in (self._row, self._given):
            found |= {value for name, value in values.items() if is_secret_name(name)}
        for name, template in self._env.items():
            if name not in self._given:
                found |= self._secrets_of_env(name, template)
        return {value for value in found if value}

    def _secrets_of_env(self, name: str, template: str) -> set[str]:
        inner = {one for one in references(template) if is_secret_name(one)}
        found = {self._environment[one] for one in inner if one in self._environment}
        if inner or is_secret_name(name):
            with suppress(UnknownName):
                found.add(filled(template, self._outside))
        return found

    def _value(self, name: str) -> str:
        for values in (self._captures, self._fixtures, self._row, self._given):
            if name in values:
                return values[name]
        if name in self._env:
            return filled(self._env[name], self._outside)
        raise UnknownName(name)

    def _outside(self, name: str) -> str:
        """A name inside a value of ``env``."""
        if name in self._fixtures:
            return self._fixtures[name]
        if name in self._environment and allowed_environment_name(name):
            return self._environment[name]
        raise UnknownName(name)
