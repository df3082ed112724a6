"""OpenClaw.

Conventions: https://docs.openclaw.ai/concepts/agent-workspace (each agent has a folder with
``AGENTS.md`` for how it works, ``SOUL.md`` for who it is and ``IDENTITY.md`` for its name; in the
state folder, that of an agent is ``workspace-<agent>``) and https://docs.openclaw.ai/tools/skills
(``skills/<name>/SKILL.md`` in the state folder is for all agents). The bundle is to be unpacked
into the state folder. The knowledge is a skill, because what stands in a workspace is read whole.
"""

from __future__ import annotations

from services.teams.exports.models import File
from services.teams.exports.rules.front_matter import document
from services.teams.exports.rules.parts import (
    Named,
    Parts,
    describe_member,
    line,
    overview,
    parts_of,
    skill_folder,
    soul_of,
    text_file,
)
from services.teams.teams.models import Content


def openclaw(content: Content) -> list[File]:
    """Lay out a workspace for each member, and skills for all of them."""
    parts = parts_of(content, ("team-knowledge",))
    introduced = overview(parts, "", "", "Use the skill `team-knowledge`.")
    files = [file for named in parts.members for file in _workspace(parts, named, introduced)]
    files += [skill_folder(named, "skills/") for named in parts.skills]
    if parts.knowledge:
        about = f"What the team {parts.title} has learned; read it before work on its projects"
        head = {"name": "team-knowledge", "description": about}
        files.append(File("skills/team-knowledge/SKILL.md", document(head, parts.knowledge)))
    return files


def _workspace(parts: Parts, named: Named, introduced: str) -> list[File]:
    folder = f"workspace-{named.name}"
    identity = f"- **Name:** {line(named.member.name)}\n- **Role:** {describe_member(named.member)}"
    return [
        text_file(f"{folder}/AGENTS.md", [introduced]),
        text_file(f"{folder}/IDENTITY.md", ["# Identity", identity]),
        text_file(f"{folder}/SOUL.md", [soul_of(parts, named.member)]),
    ]
