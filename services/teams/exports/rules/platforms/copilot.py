"""GitHub Copilot.

Conventions:
https://docs.github.com/copilot/how-tos/configure-custom-instructions/add-repository-instructions
(``.github/copilot-instructions.md``; ``.github/instructions/<name>.instructions.md`` with applyTo,
patterns with commas between), https://docs.github.com/copilot/reference/custom-agents-configuration
(``.github/agents/<name>.agent.md`` with name and description) and
https://docs.github.com/copilot/concepts/agents/about-agent-skills
(``.github/skills/<name>/SKILL.md``).
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
    describe_skill,
    globs_of,
    line,
    overview,
    parts_of,
    skill_folder,
    soul_of,
    text_file,
)
from services.teams.teams.models import Content


def copilot(content: Content) -> list[File]:
    """Lay out agents, skills, and instructions for what applies to files by itself."""
    parts = parts_of(content, ("team-knowledge",))
    files = [
        File(
            f".github/agents/{named.name}.agent.md",
            document(
                {
                    "name": line(named.member.name) or named.name,
                    "description": describe_member(named.member),
                },
                soul_of(parts, named.member),
            ),
        )
        for named in parts.members
    ]
    files += [_skill(named) for named in parts.skills]
    if parts.knowledge:
        about = f"What the team {parts.title} has learned"
        path = ".github/instructions/team-knowledge.instructions.md"
        head = {"description": about, "applyTo": "**"}
        files.append(File(path, document(head, parts.knowledge)))
    at = "See `.github/instructions/team-knowledge.instructions.md`."
    introduced = overview(parts, ".github/agents/{}.agent.md", "", at)
    return [*files, text_file(".github/copilot-instructions.md", [introduced])]


def _skill(named: NamedSkill) -> File:
    mode = activation(named.skill)
    if mode not in (Activation.ALWAYS, Activation.BY_FILES):
        return skill_folder(named, ".github/skills/")
    patterns = ["**"] if mode is Activation.ALWAYS else globs_of(named.skill)
    head = {"description": describe_skill(named.skill), "applyTo": ",".join(patterns)}
    path = f".github/instructions/{named.name}.instructions.md"
    return File(path, document(head, body_of(named.skill)))
