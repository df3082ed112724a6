"""What is found wrong or odd while a text is read, up to a bound."""

from __future__ import annotations

from typing import Final

from services.runs.engine.grammar.models import Problem, Sentence

MOST_PROBLEMS: Final = 1000
MOST_WARNINGS: Final = 200
_LONGEST_PATH: Final = 200
_LONGEST_QUOTE: Final = 60


def quoted(text: str, most: int = _LONGEST_QUOTE) -> str:
    """Give a piece of a suite for a sentence: on one line, cut, and printable."""
    cut = text if len(text) <= most else text[:most] + "…"
    return '"' + "".join(letter if letter.isprintable() else "·" for letter in cut) + '"'


class Findings:
    """Problems and warnings; a hostile text fills neither without end."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.sentences: list[Sentence] = []

    def problem(self, path: str, line: int | None, message: str) -> None:
        """Note what keeps the text from being a suite."""
        _add(self.problems, MOST_PROBLEMS, path, line, message)

    def warn(self, path: str, line: int | None, message: str) -> None:
        """Note what an author may want to know."""
        _add(self.warnings, MOST_WARNINGS, path, line, message)


def _add(found: list[Problem], most: int, path: str, line: int | None, message: str) -> None:
    if len(found) < most:
        found.append(Problem(_shown(path), line, message))
    elif len(found) == most:
        found.append(Problem("", None, "there is more of this kind than is listed"))


def _shown(path: str) -> str:
    cut = path if len(path) <= _LONGEST_PATH else path[:_LONGEST_PATH] + "…"
    return "".join(letter if letter.isprintable() else "·" for letter in cut)
