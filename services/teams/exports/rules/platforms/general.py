"""Formats that belong to no platform: Agent Skills and AGENTS.md.

Conventions: https://agentskills.io/specification (a folder for each skill, named as the skill in
lower-case letters, digits and single dashes, with a SKILL.md) and https://agents.md (one file of
plain Markdown at the root of a project).
"""

from __future__ import annotations

from services.teams.exports.models import File
from services.teams.exports.rules.parts import (
    NamedSkill,
    Parts,
    body_of,
    describe_member,
    line,
    overview,
    parts_of,
    skill_folder,
    soul_of,
    text_file,
)
from services.teams.teams.models import Content, Member


def skills(content: Content) -> list[File]:
    """Lay out the skills alone, a folder each."""
    return [skill_folder(named, "") for named in parts_of(content).skills]


def agents_md(content: Content) -> list[File]:
    """Write the whole team into one AGENTS.md."""
    parts = parts_of(content)
    pieces = [overview(parts, "", "", "The last part of this file.")]
    pieces += [_member(parts, named.member) for named in parts.members]
    pieces += [_skill(named) for named in parts.skills]
    if parts.knowledge:
        pieces.append(f"# Knowledge\n\n{parts.knowledge}")
    return [text_file("AGENTS.md", pieces)]


def _member(parts: Parts, member: Member) -> str:
    head = f"# Member: {line(member.name)}\n\nRole: {describe_member(member)}"
    return f"{head}\n\n{soul_of(parts, member)}"


def _skill(named: NamedSkill) -> str:
    return f"# Skill: {named.name}\n\n{body_of(named.skill)}"
