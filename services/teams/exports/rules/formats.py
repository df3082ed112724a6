"""The formats of a bundle, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.teams.exports.models import File
from services.teams.exports.rules.platforms.amazon_q import amazon_q
from services.teams.exports.rules.platforms.claude import claude_code, claude_desktop
from services.teams.exports.rules.platforms.cline import cline
from services.teams.exports.rules.platforms.codex import codex
from services.teams.exports.rules.platforms.copilot import copilot
from services.teams.exports.rules.platforms.cursor import cursor
from services.teams.exports.rules.platforms.gemini import gemini
from services.teams.exports.rules.platforms.general import agents_md, skills
from services.teams.exports.rules.platforms.openclaw import openclaw
from services.teams.exports.rules.platforms.windsurf import windsurf
from services.teams.teams.models import Content

JSON: Final = "json"
"""The format that is the team as the API tells it."""

AGENTS_MD: Final = "agents-md"
"""The format that is one file of Markdown."""

LAYOUTS: Final[dict[str, Callable[[Content], list[File]]]] = {
    AGENTS_MD: agents_md,
    "amazon-q": amazon_q,
    "claude-code": claude_code,
    "claude-desktop": claude_desktop,
    "cline": cline,
    "codex": codex,
    "copilot": copilot,
    "cursor": cursor,
    "gemini": gemini,
    "openclaw": openclaw,
    "skills": skills,
    "windsurf": windsurf,
}

FORMATS: Final = tuple(sorted([JSON, *LAYOUTS]))
"""Every name that is known."""

VERSION: Final = 1
"""To be raised when a layout changes, so that no cache keeps an old bundle."""


@dataclass(frozen=True, slots=True)
class UnknownFormat(Exception):
    """There is no such format."""

    name: str

    def __str__(self) -> str:
        return f"unknown format: '{self.name[:32]}'; known formats: {', '.join(FORMATS)}"
