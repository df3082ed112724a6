"""Templates as TypeScript expressions, in which no secret stands as it is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.runs.engine.grammar.templates import references
from services.runs.engine.spec.typescript import Names, comment, literal

MASK: Final = "\u2022" * 4
SHORTEST: Final = 4
"""Characters; a shorter secret is hidden in its own step only (contract, section 4.1)."""

_PLACEHOLDER: Final = re.compile(r"\$\{([^{}$\n]{1,120})\}")


class Unsaid(Exception):
    """Something that cannot be said in TypeScript; ``reason`` is for the author."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(slots=True)
class Texts:
    """What one file has named so far.

    Attributes:
        names: identifiers.
        values: by name of a suite's variable, its expression; a case's own come on top.
        secrets: by secret text, the variable of the environment that stands for it.
        own: likewise, of the step in hand only.
        helpers: functions that are called.
        used: names that were asked for.
    """

    names: Names
    values: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    helpers: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    _beginnings: dict[str, list[str]] | None = None

    def call(self, helper: str, *arguments: str) -> str:
        """Call a helper, which is then part of the file."""
        self.helpers.add(helper)
        return f"{helper}({', '.join(arguments)})"

    def text(self, template: str) -> str:
        """Write a template as an expression of type string.

        Raises:
            Unsaid: a name in it is not known.
        """
        parts: list[str] = []
        at = 0
        for found in _PLACEHOLDER.finditer(template):
            parts += self._literals(template[at : found.start()])
            name = found[1].strip()
            if name not in self.values:
                raise Unsaid(f"${{{name}}} is not known")
            self.used.add(name)
            parts.append(self.values[name])
            at = found.end()
        parts += self._literals(template[at:])
        return " + ".join(parts) or literal("")

    def fixed(self, text: str) -> str:
        """Write a text that has no names as an expression of type string."""
        return " + ".join(self._literals(text)) or literal("")

    def required(self, variable: str) -> str:
        """Write a value that only the environment has."""
        return self.call("required", literal(variable))

    def hidden(self, text: str) -> str:
        """Give a text as it may stand in a comment or a reason: one line, secrets masked."""
        for secret in self._in(text):
            text = text.replace(secret, MASK)
        return comment(text)

    def label(self, text: str) -> str:
        """Write a text for people as a literal, secrets masked."""
        return literal(self.hidden(text))

    def _in(self, text: str) -> list[str]:
        """List the secrets in a text, the longest first."""
        if self._beginnings is None:
            self._beginnings = defaultdict(list)
            for secret in self.secrets:
                self._beginnings[secret[:SHORTEST]].append(secret)
        begun = {text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1)}
        found = [one for each in begun for one in self._beginnings.get(each, ()) if one in text]
        found += [each for each in self.own if each in text]
        return sorted(found, key=lambda each: (-len(each), each))

    def _literals(self, text: str) -> list[str]:
        """Split a text around the secrets in it."""
        if not text:
            return []
        inside = self._in(text)
        if not inside:
            return [literal(text)]
        secret = inside[0]
        variable = self.own.get(secret) or self.secrets[secret]
        parts = [self._literals(each) for each in text.split(secret)]
        found = [*parts[0]]
        for part in parts[1:]:
            found += [self.required(variable), *part]
        return found


def fragments(template: str) -> list[str]:
    """Give what stands in a template beside its names."""
    return [part for part in _PLACEHOLDER.split(template)[::2] if part.strip()]


def is_plain(template: str) -> bool:
    """Tell whether a template has no names."""
    return not references(template)
