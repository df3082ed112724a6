"""Windsurf.

Conventions: https://docs.windsurf.com/windsurf/cascade/memories (``.windsurf/rules/<name>.md`` with
trigger ``always_on``, ``glob``, ``model_decision`` or ``manual``, each file up to 12,000
characters). Members are rules for the model to decide on, because there are no agents.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.teams.exports.models import File
from services.teams.exports.rules.front_matter import Value, document
from services.teams.exports.rules.parts import (
    Activation,
    Named,
    NamedSkill,
    Parts,
    activation,
    body_of,
    describe_member,
    describe_skill,
    globs_of,
    line,
    overview,
    parts_of,
    soul_of,
)
from services.teams.teams.models import Content

LONGEST_BODY: Final = 10_500
"""Characters of a rule: with its head it stays below what Windsurf reads."""

_TRIGGERS: Final = {
    Activation.ALWAYS: "always_on",
    Activation.BY_FILES: "glob",
    Activation.BY_DESCRIPTION: "model_decision",
    Activation.BY_HAND: "manual",
}


def windsurf(content: Content) -> list[File]:
    """Lay out everything as rules, long ones in several files."""
    parts = parts_of(content)
    introduced = overview(parts, "", "", "See the rule `team-knowledge`.")
    files = [*_rules("team", {"trigger": "always_on"}, introduced)]
    for named in parts.members:
        files += _member(parts, named)
    for skill in parts.skills:
        files += _skill(skill)
    if parts.knowledge:
        about = f"What the team {parts.title} has learned"
        head: dict[str, Value] = {"trigger": "model_decision", "description": about}
        files += _rules("team-knowledge", head, parts.knowledge)
    return files


def _member(parts: Parts, named: Named) -> Iterator[File]:
    about = f"Work as {line(named.member.name)}: {describe_member(named.member)}"
    head: dict[str, Value] = {"trigger": "model_decision", "description": line(about, 1000)}
    return _rules(f"member-{named.name}", head, soul_of(parts, named.member))


def _skill(named: NamedSkill) -> Iterator[File]:
    mode = activation(named.skill)
    about = describe_skill(named.skill, 1000)
    head: dict[str, Value] = {"trigger": _TRIGGERS[mode], "description": about}
    if mode is Activation.BY_FILES:
        head["globs"] = line(",".join(globs_of(named.skill)))
    return _rules(f"skill-{named.name}", head, body_of(named.skill))


def _rules(name: str, head: dict[str, Value], body: str) -> Iterator[File]:
    for number, piece in enumerate(pieces_of(body, LONGEST_BODY), start=1):
        # A dot, because no name of a member or skill has one.
        numbered = name if number == 1 else f"{name}.{number}"
        yield File(f".windsurf/rules/{numbered}.md", document(head, piece))


def pieces_of(text: str, most: int) -> Iterator[str]:
    """Cut a text into pieces of at most ``most`` characters, between lines where that is possible.

    Joined they are the text again.
    """
    start = 0
    while len(text) - start > most:
        end = text.rfind("\n", start, start + most) + 1
        end = end if end > start else start + most
        yield text[start:end]
        start = end
    yield text[start:]
