"""A team ready to be laid out: names of files for its parts, and the texts platforms share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from services.teams.exports.models import File
from services.teams.exports.rules.front_matter import Value, document, ended
from services.teams.exports.rules.naming import Names, slug
from services.teams.teams.models import Content, Member, Skill

LONGEST_DESCRIPTION: Final = 1024
"""Characters that the Agent Skills specification allows (https://agentskills.io/specification)."""


@dataclass(frozen=True, slots=True)
class Named:
    """A member and the name of its file."""

    name: str
    member: Member


@dataclass(frozen=True, slots=True)
class NamedSkill:
    """A skill and the name of its folder or file, which is its name to the platform, too."""

    name: str
    skill: Skill


@dataclass(frozen=True, slots=True)
class Parts:
    """A team with a safe name for each of its files.

    Attributes:
        slug: the team's own.
        title: its name on one line.
        knowledge: empty where there is none but white space.
    """

    slug: str
    title: str
    members: tuple[Named, ...]
    skills: tuple[NamedSkill, ...]
    knowledge: str

    def skills_of(self, member: Member) -> list[str]:
        """Give the names of the skills of a member that the team has, in its order, each once."""
        known = {named.skill.id: named.name for named in self.skills}
        return list(dict.fromkeys(known[id] for id in member.skills if id in known))


def parts_of(content: Content, taken: Iterable[str] = ()) -> Parts:
    """Name the files of a team.

    Args:
        content: the team.
        taken: names that a layout needs for files of its own beside the skills.
    """
    members = Names("member")
    skills = Names("skill", taken)
    return Parts(
        slug=slug(content.name, "team"),
        title=line(content.name) or "Team",
        members=tuple(Named(members.give(member.name), member) for member in content.members),
        skills=tuple(NamedSkill(skills.give(skill.id), skill) for skill in content.skills),
        knowledge=content.knowledge if content.knowledge.strip() else "",
    )


def line(text: str, most: int = 0) -> str:
    """Put a text on one line; where it has more than ``most`` characters, cut it visibly."""
    joined = " ".join(text.split())
    return joined if not most or len(joined) <= most else joined[: most - 3].rstrip() + "..."


class Activation(Enum):
    """When an assistant reads a skill."""

    ALWAYS = "always"
    BY_FILES = "by files"
    BY_DESCRIPTION = "by description"
    BY_HAND = "by hand"


def activation(skill: Skill) -> Activation:
    """Tell when a skill is read: always wins over files, and those over the description."""
    if skill.always_apply:
        return Activation.ALWAYS
    if globs_of(skill):
        return Activation.BY_FILES
    if skill.disable_model_invocation:
        return Activation.BY_HAND
    return Activation.BY_DESCRIPTION


def globs_of(skill: Skill) -> list[str]:
    """Give the patterns of a skill, each on one line, without blank ones."""
    return [pattern for glob in skill.globs if (pattern := line(glob))]


def describe_member(member: Member) -> str:
    """Say on one line when to use a member: its role, and its description where there is one."""
    role, described = line(member.role) or "Member of the team", line(member.description)
    return line(f"{role}: {described}" if described else role, LONGEST_DESCRIPTION)


def describe_skill(skill: Skill, most: int = LONGEST_DESCRIPTION) -> str:
    """Say on one line when to use a skill; never empty, because platforms refuse that."""
    return line(skill.description, most) or line(skill.title, most) or line(skill.id, most)


def soul_of(parts: Parts, member: Member) -> str:
    """Give a member's instructions in Markdown, and which skills it has."""
    pieces = [member.soul.strip("\n")] if member.soul.strip() else []
    if not pieces:
        pieces = [f"You are {line(member.name)}, {line(member.role)} of the team {parts.title}."]
    if skills := parts.skills_of(member):
        pieces.append("## Skills\n\n" + "\n".join(f"- {name}" for name in skills))
    return ended("\n\n".join(pieces))


def body_of(skill: Skill) -> str:
    """Give a skill's instructions in Markdown; its description where it has none."""
    pieces = []
    if skill.title.strip():
        pieces.append(f"# {line(skill.title)}")
    if len(line(skill.description)) > LONGEST_DESCRIPTION or not skill.body.strip():
        pieces.append(skill.description.strip("\n") or describe_skill(skill))
    if skill.body.strip():
        pieces.append(skill.body.strip("\n"))
    return ended("\n\n".join(pieces))


def skill_folder(
    named: NamedSkill, folder: str, more: Callable[[Skill], dict[str, Value]] | None = None
) -> File:
    """Make ``<name>/SKILL.md`` of the Agent Skills specification below a folder.

    The name is that of the folder, as the specification demands; an id that it does not allow is
    kept beside it as metadata.

    Args:
        named: the skill.
        folder: with a slash at its end, or empty.
        more: gives keys that the platform knows beside those of the specification.
    """
    head: dict[str, Value] = {"name": named.name, "description": describe_skill(named.skill)}
    if named.name != named.skill.id:
        head["metadata"] = {"id": named.skill.id}
    if more is not None:
        head |= more(named.skill)
    return File(f"{folder}{named.name}/SKILL.md", document(head, body_of(named.skill)))


def overview(parts: Parts, member_at: str, skill_at: str, knowledge_at: str) -> str:
    """Introduce a team in Markdown: who is in it, what they can do, where its knowledge is.

    Args:
        parts: the team.
        member_at: where a member's file is, with ``{}`` for its name; empty where it has none.
        skill_at: likewise of a skill.
        knowledge_at: a sentence about where the knowledge is, told where there is any.
    """
    pieces = [f"# {parts.title}"]
    if parts.members:
        rows = [_member_row(named, member_at) for named in parts.members]
        pieces.append("## Members\n\n" + "\n".join(rows))
    if parts.skills:
        rows = [_skill_row(named, skill_at) for named in parts.skills]
        pieces.append("## Skills\n\n" + "\n".join(rows))
    if parts.knowledge and knowledge_at:
        pieces.append(f"## Knowledge\n\n{knowledge_at}")
    return ended("\n\n".join(pieces))


def _member_row(named: Named, at: str) -> str:
    where = f" (`{at.format(named.name)}`)" if at else ""
    return f"- **{line(named.member.name)}**: {describe_member(named.member)}{where}"


def _skill_row(named: NamedSkill, at: str) -> str:
    where = f" (`{at.format(named.name)}`)" if at else ""
    return f"- **{named.name}**: {describe_skill(named.skill, 300)}{where}"


def knowledge_file(parts: Parts, path: str) -> list[File]:
    """Make the file of the knowledge, as it stands; none where there is none."""
    return [text_file(path, [parts.knowledge])] if parts.knowledge else []


def text_file(path: str, pieces: Sequence[str]) -> File:
    """Make a file without a head of pieces of Markdown with a blank line between."""
    text = ended("\n\n".join(piece.strip("\n") for piece in pieces))
    # What begins with three dashes would be read as a head, and could say when it applies.
    return File(path, (f"\n{text}" if text.startswith("---") else text).encode())
