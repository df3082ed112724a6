"""Claude Code and Claude Desktop.

Conventions: https://code.claude.com/docs/en/sub-agents (``.claude/agents/<name>.md``: name of
lower-case letters and dashes, description, skills to load; the body is the system prompt),
https://code.claude.com/docs/en/skills (``.claude/skills/<name>/SKILL.md``),
https://code.claude.com/docs/en/memory (``CLAUDE.md``, ``@path`` imports a file). Claude Desktop
takes each skill as a ZIP with its folder inside, by hand, description up to 200 characters:
https://support.claude.com/en/articles/12512198-how-to-create-custom-skills. Instructions and
files of a project are pasted and uploaded: https://support.claude.com/en/articles/9517075.
"""

from __future__ import annotations

from typing import Final

from services.teams.exports.models import File
from services.teams.exports.rules.archive import pack
from services.teams.exports.rules.front_matter import Value, document
from services.teams.exports.rules.parts import (
    Named,
    NamedSkill,
    Parts,
    describe_member,
    describe_skill,
    globs_of,
    knowledge_file,
    line,
    overview,
    parts_of,
    skill_folder,
    soul_of,
    text_file,
)
from services.teams.teams.models import Content, Skill

_SHORT_DESCRIPTION: Final = 200


def claude_code(content: Content) -> list[File]:
    """Lay out agents, skills, and a CLAUDE.md that imports the knowledge."""
    parts = parts_of(content)
    files = [
        File(f".claude/agents/{named.name}.md", document(_agent_head(parts, named), body))
        for named in parts.members
        if (body := soul_of(parts, named.member))
    ]
    files += [skill_folder(named, ".claude/skills/", _skill_keys) for named in parts.skills]
    files += knowledge_file(parts, ".claude/knowledge.md")
    introduced = overview(
        parts, ".claude/agents/{}.md", ".claude/skills/{}/SKILL.md", "@.claude/knowledge.md"
    )
    return [*files, text_file("CLAUDE.md", [introduced])]


def _agent_head(parts: Parts, named: Named) -> dict[str, Value]:
    head: dict[str, Value] = {"name": named.name, "description": describe_member(named.member)}
    if skills := parts.skills_of(named.member):
        head["skills"] = skills
    return head


def _skill_keys(skill: Skill) -> dict[str, Value]:
    head: dict[str, Value] = {}
    if hint := line(skill.argument_hint):
        head["argument-hint"] = hint
    if skill.disable_model_invocation is not None:
        head["disable-model-invocation"] = skill.disable_model_invocation
    if skill.user_invocable is not None:
        head["user-invocable"] = skill.user_invocable
    if patterns := globs_of(skill):
        head["paths"] = patterns
    return head


def claude_desktop(content: Content) -> list[File]:
    """Lay out a ZIP for each skill, and the instructions and files of a project."""
    parts = parts_of(content)
    files = [File(f"skills/{named.name}.zip", pack([_short(named)])) for named in parts.skills]
    files += [
        text_file(
            f"project/members/{named.name}.md",
            [f"# {line(named.member.name)}", describe_member(named.member), souls],
        )
        for named in parts.members
        if (souls := soul_of(parts, named.member))
    ]
    files += knowledge_file(parts, "project/knowledge.md")
    introduced = overview(parts, "members/{}.md", "", "See `knowledge.md`.")
    return [*files, text_file("project/instructions.md", [introduced])]


def _short(named: NamedSkill) -> File:
    return skill_folder(
        named, "", lambda skill: {"description": describe_skill(skill, _SHORT_DESCRIPTION)}
    )
