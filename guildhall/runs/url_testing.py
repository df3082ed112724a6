"""Trying instructions on an address, without a suite (runs contract, section 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from guildhall.failures import Failure
from guildhall.runs.models import SuiteFile
from guildhall.runs.words import is_web_address
from services.runs.engine.grammar import allowed_environment_name, parse, references
from services.runs.engine.model import ModelFailed
from services.runs.engine.model.lines import Ask, Kind

LONGEST_TEXT: Final = 800
"""Characters of the page that are shown."""

LOOK: Final = "guildhall-looks-at-the-page"
"""A claim that no rule reads: so it comes to whoever answers for the model, with the page."""

NO_MODEL: Final = (
    "The rules cannot read this step, and no model is configured: set ANTHROPIC_API_KEY, or say it "
    'otherwise, as in: click "Save"'
)

# Quotes that begin a word keep what they hold together.
_PART: Final = re.compile(
    r"""(?P<kept>"[^"\n]*"|“[^”\n]*”|`[^`\n]*`|(?<!\w)'[^'\n]*'(?!\w))"""
    r"""|(?P<cut>[\n\r;]+|(?<![\w-])then(?![\w-]))""",
    re.IGNORECASE,
)
_AROUND: Final = re.compile(r"^(?:[\s,.]|and\b)+|(?:[\s,]|\band)+$", re.IGNORECASE)
_BULLET: Final = re.compile(r"^(?:[-*•]|\d{1,3}[.)])\s+")


def split(instructions: str) -> list[str]:
    """Cut instructions into steps: at line ends, ``;`` and the word ``then``, outside of quotes.

    Bullets and numbers of lists, and the ``and`` of "and then", belong to no step.
    """
    pieces, start = [], 0
    for match in _PART.finditer(instructions):
        if match["cut"] is not None:
            pieces.append(instructions[start : match.start()])
            start = match.end()
    pieces.append(instructions[start:])
    steps = (_BULLET.sub("", _AROUND.sub("", piece)).strip() for piece in pieces)
    return [step for step in steps if step]


def suite_of(url: str, steps: Sequence[str], given: Mapping[str, str]) -> SuiteFile:
    """Make the suite whose one case carries out the steps.

    Args:
        url: where it begins.
        steps: in English; ``${X}`` in them is taken from the environment.
        given: the environment.

    Raises:
        Failure: the address is none, there are no steps, or one of them cannot be written down.
    """
    if not is_web_address(url):
        raise Failure("The address must be http:// or https:// and a host")
    if not steps:
        raise Failure("There are no instructions")
    named = sorted({name for step in steps for name in references(step)})
    text = yaml.safe_dump(
        {
            "suite": f"Instructions for {urlsplit(url).hostname}",
            "id": "test-url",
            "base_url": url,
            "env": {
                name: f"${{{name}}}"
                for name in named
                if name in given and allowed_environment_name(name)
            },
            "retries": 0,
            "cases": [
                {
                    "id": "instructions",
                    "title": "Instructions",
                    "steps": [{"do": step} for step in steps],
                    "expect": [{"assert": LOOK}],
                }
            ],
        },
        sort_keys=False,
    )
    parsed = parse(text)
    if parsed.suite is None:
        raise Failure("\n".join(f"{one.path}: {one.message}" for one in parsed.problems[:5]))
    return SuiteFile(Path("test-url"), text, parsed.suite)


class Look:
    """What the page shows after the last step; answers for the model where that is asked.

    Args:
        ask: the model; None where there is none.

    Attributes:
        url, title, text: of the page, masked; None where it was not come to.
    """

    def __init__(self, ask: Ask | None) -> None:
        self._ask = ask
        self.url: str | None = None
        self.title: str | None = None
        self.text: str | None = None

    async def answer(self, kind: Kind, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep the page that our own claim brings, and pass on everything else."""
        if kind == "judge" and question.get("claim") == LOOK:
            self.url = str(question.get("url") or "")
            self.title = str(question.get("title") or "")
            self.text = str(question.get("text") or "")
            return {"passed": True, "confidence": 1.0, "why": ""}
        if self._ask is None:
            raise ModelFailed(NO_MODEL)
        return await self._ask(kind, question)


def last_url(report: Mapping[str, Any]) -> str:
    """Give the address of the last thing that was done; empty where nothing was."""
    found = ""
    for case in report.get("cases") or []:
        for step in case.get("steps") or []:
            for action in step.get("actions") or []:
                found = str(action.get("url") or found)
    return found
