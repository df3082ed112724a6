"""What is suspicious in a team, told so that it can be shown anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from services.teams.exports.models import Finding, FindingKind
from services.teams.exports.rules.commands import commands
from services.teams.exports.rules.front_matter import ended
from services.teams.exports.rules.hidden import hidden
from services.teams.exports.rules.naming import Names
from services.teams.teams.models import Content, Member, Skill

LONGEST_EXCERPT: Final = 100
"""Characters of an excerpt."""

_AROUND: Final = 16


def findings_of(content: Content) -> tuple[Finding, ...]:
    """Find hidden characters and commands that run what they fetch, text by text.

    There is at most one finding of each kind for each text; it counts the others. The time grows
    with the size of the team alone.
    """
    return tuple(finding for where, text in _texts(content) for finding in _in_text(where, text))


def header_of(findings: Sequence[Finding]) -> str:
    """Count findings by kind as a dictionary of RFC 9651: ``total=3, zero-width=2, ...``."""
    counts = Counter[str]()
    for finding in findings:
        counts[finding.kind] += finding.count
    kinds = [f"{kind}={counts[kind]}" for kind in sorted(counts)]
    return ", ".join([f"total={counts.total()}", *kinds])


def page_of(findings: Sequence[Finding]) -> bytes:
    """Tell findings in a Markdown file for whoever unpacks a bundle."""
    lines = [
        "# Findings",
        "",
        "Agents obey the texts of this bundle. Look at these places before you use it.",
        "",
        *(
            f"- `{finding.where}`: {finding.kind}, {finding.count} times\n\n"
            f"      {finding.excerpt}\n"
            for finding in findings
        ),
    ]
    return ended("\n".join(lines)).encode()


def _texts(content: Content) -> Iterator[tuple[str, str]]:
    yield "name", content.name
    members = Names("member")
    for member in content.members:
        name = members.give(member.name)
        yield from ((f"members.{name}.{field}", text) for field, text in _of_member(member))
    skills = Names("skill")
    for skill in content.skills:
        name = skills.give(skill.id)
        yield from ((f"skills.{name}.{field}", text) for field, text in _of_skill(skill))
    yield "knowledge", content.knowledge


def _of_member(member: Member) -> Iterator[tuple[str, str]]:
    yield "name", member.name
    yield "role", member.role
    yield "description", member.description
    yield "soul", member.soul
    yield "skills", "\n".join(member.skills)


def _of_skill(skill: Skill) -> Iterator[tuple[str, str]]:
    yield "title", skill.title
    yield "description", skill.description
    yield "argumentHint", skill.argument_hint
    yield "globs", "\n".join(skill.globs)
    yield "body", skill.body


def _in_text(where: str, text: str) -> Iterator[Finding]:
    first: dict[FindingKind, str] = {}
    counts = Counter[FindingKind]()
    for kind, start, end in hidden(text):
        counts[kind] += 1
        if kind not in first:
            first[kind] = text[max(0, start - _AROUND) : min(end, start + _AROUND) + _AROUND]
    for kind, excerpt in commands(text):
        counts[kind] += 1
        first.setdefault(kind, excerpt)
    for kind, count in counts.items():
        yield Finding(where, kind, shown(first[kind]), count)


def shown(text: str) -> str:
    """Show a text in printable ASCII on one line, what cannot be seen by its number."""
    pieces: list[str] = []
    length = 0
    for letter in text:
        piece = letter if " " <= letter <= "~" else f"<U+{ord(letter):04X}>"
        length += len(piece)
        if length > LONGEST_EXCERPT:
            pieces.append("...")
            break
        pieces.append(piece)
    return "".join(pieces).strip()
