"""Codex.

Conventions: https://developers.openai.com/codex/guides/agents-md (``AGENTS.md`` is read up to 32
KiB, so the knowledge is beside it), https://developers.openai.com/codex/skills
(``.agents/skills/<name>/SKILL.md``) and https://developers.openai.com/codex/subagents
(``.codex/agents/<name>.toml`` with name, description and developer_instructions).
"""

from __future__ import annotations

from services.teams.exports.models import File
from services.teams.exports.rules.front_matter import toml_line, toml_text
from services.teams.exports.rules.parts import (
    Named,
    Parts,
    describe_member,
    knowledge_file,
    overview,
    parts_of,
    skill_folder,
    soul_of,
    text_file,
)
from services.teams.teams.models import Content


def codex(content: Content) -> list[File]:
    """Lay out agents in TOML, skills, knowledge, and an AGENTS.md that points to them."""
    parts = parts_of(content)
    files = [_agent(parts, named) for named in parts.members]
    files += [skill_folder(named, ".agents/skills/") for named in parts.skills]
    files += knowledge_file(parts, ".codex/knowledge.md")
    introduced = overview(
        parts,
        ".codex/agents/{}.toml",
        ".agents/skills/{}/SKILL.md",
        "Read `.codex/knowledge.md` before work on this project.",
    )
    return [*files, text_file("AGENTS.md", [introduced])]


def _agent(parts: Parts, named: Named) -> File:
    lines = (
        f"name = {toml_line(named.name)}",
        f"description = {toml_line(describe_member(named.member))}",
        f"developer_instructions = {toml_text(soul_of(parts, named.member))}",
    )
    return File(f".codex/agents/{named.name}.toml", "".join(f"{each}\n" for each in lines).encode())
