"""Cline.

Conventions: https://docs.cline.bot/customization/cline-rules (``.clinerules/<name>.md`` is always
read; with paths in its head, with those files), https://docs.cline.bot/customization/skills
(``.cline/skills/<name>/SKILL.md``) and https://docs.cline.bot/customization/workflows
(``.clinerules/workflows/<name>.md``, called by its name). Members are workflows, so that nobody
speaks with twenty souls at once.
"""

from __future__ import annotations

from services.teams.exports.models import File
from services.teams.exports.rules.front_matter import document
from services.teams.exports.rules.parts import (
    Activation,
    NamedSkill,
    activation,
    body_of,
    describe_member,
    globs_of,
    knowledge_file,
    line,
    overview,
    parts_of,
    skill_folder,
    soul_of,
    text_file,
)
from services.teams.teams.models import Content


def cline(content: Content) -> list[File]:
    """Lay out members as workflows, and skills as rules where they apply by themselves."""
    parts = parts_of(content, ("team", "team-knowledge"))
    files = [
        text_file(
            f".clinerules/workflows/{named.name}.md",
            [
                f"# {line(named.member.name)}",
                describe_member(named.member),
                soul_of(parts, named.member),
            ],
        )
        for named in parts.members
    ]
    files += [_skill(named) for named in parts.skills]
    files += knowledge_file(parts, ".clinerules/team-knowledge.md")
    at = "See the rule `team-knowledge.md`."
    introduced = overview(parts, "/{}.md", "", at)
    return [*files, text_file(".clinerules/team.md", [introduced])]


def _skill(named: NamedSkill) -> File:
    mode = activation(named.skill)
    if mode is Activation.ALWAYS:
        return text_file(f".clinerules/{named.name}.md", [body_of(named.skill)])
    if mode is Activation.BY_FILES:
        head = {"paths": globs_of(named.skill)}
        return File(f".clinerules/{named.name}.md", document(head, body_of(named.skill)))
    return skill_folder(named, ".cline/skills/")
