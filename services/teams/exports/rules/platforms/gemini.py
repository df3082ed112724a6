"""Gemini CLI.

Conventions: https://geminicli.com/docs/cli/gemini-md (``GEMINI.md``, ``@path`` imports a file),
https://geminicli.com/docs/cli/skills (``.gemini/skills/<name>/SKILL.md``) and
https://geminicli.com/docs/core/subagents (``.gemini/agents/<name>.md`` with name and description;
the body is the system prompt).
"""

from __future__ import annotations

from services.teams.exports.models import File
from services.teams.exports.rules.front_matter import document
from services.teams.exports.rules.parts import (
    describe_member,
    knowledge_file,
    overview,
    parts_of,
    skill_folder,
    soul_of,
    text_file,
)
from services.teams.teams.models import Content


def gemini(content: Content) -> list[File]:
    """Lay out agents, skills, and a GEMINI.md that imports the knowledge."""
    parts = parts_of(content)
    files = [
        File(
            f".gemini/agents/{named.name}.md",
            document(
                {
                    "name": named.name,
                    "description": describe_member(named.member),
                    "kind": "local",
                },
                soul_of(parts, named.member),
            ),
        )
        for named in parts.members
    ]
    files += [skill_folder(named, ".gemini/skills/") for named in parts.skills]
    files += knowledge_file(parts, ".gemini/knowledge.md")
    introduced = overview(
        parts, ".gemini/agents/{}.md", ".gemini/skills/{}/SKILL.md", "@./.gemini/knowledge.md"
    )
    return [*files, text_file("GEMINI.md", [introduced])]
