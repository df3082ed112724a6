"""Cursor.

Conventions: https://cursor.com/docs/context/rules (``.cursor/rules/<name>.mdc`` with description,
globs and alwaysApply; patterns stand bare on one line with commas between, because quotes would
become part of a pattern) and https://cursor.com/docs/context/subagents
(``.cursor/agents/<name>.md`` with name and description).
"""

from __future__ import annotations

import re
from typing import Final

from services.teams.exports.models import File
from services.teams.exports.rules.front_matter import Value, document, framed, head_of
from services.teams.exports.rules.parts import (
    Activation,
    NamedSkill,
    activation,
    body_of,
    describe_member,
    describe_skill,
    globs_of,
    overview,
    parts_of,
    soul_of,
)
from services.teams.teams.models import Content

_TAKEN: Final = ("team", "team-knowledge")
# Nothing that could end the line, begin a comment or another key.
_BARE: Final = re.compile(r"[\w.*?/@+()\[\]{}!,-]+", re.ASCII)


def cursor(content: Content) -> list[File]:
    """Lay out members as subagents, skills as rules, and the team as a rule that always applies."""
    parts = parts_of(content, _TAKEN)
    files = [
        File(
            f".cursor/agents/{named.name}.md",
            document(
                {"name": named.name, "description": describe_member(named.member)},
                soul_of(parts, named.member),
            ),
        )
        for named in parts.members
    ]
    files += [_rule(named) for named in parts.skills]
    introduced = overview(
        parts, ".cursor/agents/{}.md", ".cursor/rules/{}.mdc", "See the rule `team-knowledge`."
    )
    team: dict[str, Value] = {
        "description": f"The team {parts.title}",
        "globs": "",
        "alwaysApply": True,
    }
    files.append(File(".cursor/rules/team.mdc", document(team, introduced)))
    if parts.knowledge:
        about = f"What the team {parts.title} has learned; read it before work on this project"
        known: dict[str, Value] = {"description": about, "globs": "", "alwaysApply": False}
        files.append(File(".cursor/rules/team-knowledge.mdc", document(known, parts.knowledge)))
    return files


def _rule(named: NamedSkill) -> File:
    mode = activation(named.skill)
    # A rule without description and patterns waits to be asked for by its name.
    described = "" if mode is Activation.BY_HAND else describe_skill(named.skill)
    always = mode is Activation.ALWAYS
    body = body_of(named.skill)
    path = f".cursor/rules/{named.name}.mdc"
    patterns = globs_of(named.skill) if mode is Activation.BY_FILES else []
    if not patterns or not all(map(_BARE.fullmatch, patterns)):
        head: dict[str, Value] = {
            "description": described,
            "globs": ", ".join(patterns),
            "alwaysApply": always,
        }
        return File(path, document(head, body))
    # One that begins with a star would be an alias in YAML, so another stands first if there is.
    ordered = sorted(patterns, key=lambda pattern: pattern[0] in "*{[!@,?-")
    bare = f"globs: {', '.join(ordered)}\n"
    return File(
        path,
        framed(head_of({"description": described}) + bare + head_of({"alwaysApply": always}), body),
    )
