"""Amazon Q Developer.

Conventions: https://docs.aws.amazon.com/amazonq/latest/qdeveloper-ug/context-project-rules.html
(``.amazonq/rules/<name>.md``, plain Markdown that is always read) and
https://docs.aws.amazon.com/amazonq/latest/qdeveloper-ug/command-line-custom-agents.html with
https://aws.github.io/amazon-q-developer-cli/agent-format.html (``.amazonq/cli-agents/<name>.json``;
tools that are not in ``allowedTools`` are asked for at each use).
"""

from __future__ import annotations

import json

from services.teams.exports.models import File
from services.teams.exports.rules.parts import (
    Named,
    Parts,
    body_of,
    describe_member,
    describe_skill,
    globs_of,
    knowledge_file,
    overview,
    parts_of,
    soul_of,
    text_file,
)
from services.teams.teams.models import Content


def amazon_q(content: Content) -> list[File]:
    """Lay out agents in JSON, and all else as rules."""
    parts = parts_of(content, ("team", "team-knowledge"))
    files = [_agent(parts, named) for named in parts.members]
    for named in parts.skills:
        patterns = globs_of(named.skill)
        when = f"Files: {', '.join(f'`{each}`' for each in patterns)}" if patterns else ""
        pieces = [describe_skill(named.skill), *([when] if when else []), body_of(named.skill)]
        files.append(text_file(f".amazonq/rules/{named.name}.md", pieces))
    files += knowledge_file(parts, ".amazonq/rules/team-knowledge.md")
    introduced = overview(parts, ".amazonq/cli-agents/{}.json", "", "See `team-knowledge.md`.")
    return [*files, text_file(".amazonq/rules/team.md", [introduced])]


def _agent(parts: Parts, named: Named) -> File:
    agent = {
        "name": named.name,
        "description": describe_member(named.member),
        "prompt": soul_of(parts, named.member),
        "tools": ["*"],
        "resources": ["file://.amazonq/rules/**/*.md"],
    }
    written = json.dumps(agent, ensure_ascii=False, indent=2)
    return File(f".amazonq/cli-agents/{named.name}.json", f"{written}\n".encode())
