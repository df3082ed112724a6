"""A team's knowledge and skills in parts, each of which may fit a question by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from services.agents.knowledge.models import (
    LONGEST_PASSAGE,
    LONGEST_TITLE,
    Excerpt,
    SkillText,
    TeamKnowledge,
)
from services.agents.knowledge.rules.sharing import cut
from services.agents.providers.models import Passage

_SECTION: Final = re.compile(r"^(?=## )", re.MULTILINE)
"""Where a section of knowledge begins (teams contract, section 6.5)."""

_HEADING: Final = re.compile(r"#{1,6} +(.+)")
_GAP: Final = re.compile(r"\n\s*\n")


def passage_of(excerpt: Excerpt) -> Passage:
    """Give a learning as a passage: its summary is the title, where that is room enough for it."""
    summary = excerpt.summary.strip()
    title = _line(summary.partition("\n")[0])
    text = excerpt.detail.strip() if title == summary else f"{summary}\n\n{excerpt.detail}".strip()
    return Passage("learnings", title, cut(text or summary, LONGEST_PASSAGE))


def parts_of(team: TeamKnowledge) -> Iterator[Passage]:
    """Give what a team knows in parts: sections of its knowledge, then its skills."""
    source = _line(f"team {team.name}")
    for section in _SECTION.split(team.knowledge):
        heading = _HEADING.match(section.lstrip())
        title = heading[1].strip() if heading else "knowledge"
        yield from _parts(source, title, section)
    for skill in team.skills:
        yield from _parts(source, f"skill {skill.title or skill.id}", _text_of(skill))


def _line(text: str) -> str:
    return cut(" ".join(text.split()), LONGEST_TITLE)


def _text_of(skill: SkillText) -> str:
    return "\n\n".join(text for text in (skill.description, skill.body) if text.strip())


def _parts(source: str, title: str, text: str) -> Iterator[Passage]:
    """Break a text into parts that are short enough, where paragraphs end if it can be."""
    title, part = _line(title), ""
    for piece in _pieces(text.strip()):
        joined = f"{part}\n\n{piece}" if part else piece
        if len(joined.encode()) > LONGEST_PASSAGE:
            yield Passage(source, title, part)
            joined = piece
        part = joined
    if part:
        yield Passage(source, title, part)


def _pieces(text: str) -> Iterator[str]:
    for paragraph in _GAP.split(text):
        data = paragraph.encode()
        if len(data) <= LONGEST_PASSAGE:
            yield paragraph
            continue
        start = 0
        while start < len(data):
            piece = data[start : start + LONGEST_PASSAGE].decode(errors="ignore")
            yield piece
            start += len(piece.encode())
