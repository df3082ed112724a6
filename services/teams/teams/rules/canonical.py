"""The hashes that clients compare with their own (teams contract, section 6.1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

from services.teams.teams.models import Content, Hashes, Member, Skill
from services.teams.teams.rules.ordering import ordered

# What JavaScript trims. Python's own set differs: it has U+0085 and U+001C-001F, and lacks U+FEFF.
WHITESPACE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


def hashes_of(content: Content) -> Hashes:
    """Give all four hashes of a team's content."""
    members = members_hash(content.members)
    skills = skills_hash(content.skills)
    knowledge = knowledge_hash(content.knowledge)
    return Hashes(
        hash=team_hash(members, skills, knowledge),
        members_hash=members,
        skills_hash=skills,
        knowledge_hash=knowledge,
    )


def members_hash(members: Iterable[Member]) -> str:
    """Hash members in the client's order of their names.

    The order they come in matters only where two names compare as equal (``ordering.ordered``).
    """
    return _hash_of_list([_member(each) for each in ordered(members, _name)])


def skills_hash(skills: Iterable[Skill]) -> str:
    """Hash skills in the client's order of their ids, whatever order they come in."""
    return _hash_of_list([_skill(each) for each in ordered(skills, _id)])


def knowledge_hash(text: str | None) -> str:
    """Hash knowledge without the white space at its end; only the empty text hashes as empty."""
    return _sha256(text.rstrip(WHITESPACE) + "\n" if text else "")


def team_hash(members: str, skills: str, knowledge: str) -> str:
    """Hash the three hashes of a team's parts into the one of the team."""
    return _sha256(f"{members}:{skills}:{knowledge}")


def by_code_unit(texts: Iterable[str]) -> list[str]:
    """Sort texts as JavaScript's ``sort`` does: by their UTF-16 code units."""
    return sorted(texts, key=_code_units)


def _code_units(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _name(member: Member) -> str:
    return member.name


def _id(skill: Skill) -> str:
    return skill.id


def _member(member: Member) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if member.description:
        fields["description"] = member.description
    if member.name:
        fields["name"] = member.name
    if member.role:
        fields["role"] = member.role
    if member.skills:
        fields["skills"] = by_code_unit(member.skills)
    if member.soul:
        fields["soul"] = member.soul
    return fields


def _skill(skill: Skill) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if skill.always_apply is not None:
        fields["alwaysApply"] = skill.always_apply
    if skill.body:
        fields["body"] = skill.body
    if skill.description:
        fields["description"] = skill.description
    if skill.globs:
        fields["globs"] = by_code_unit(skill.globs)
    if skill.id:
        fields["id"] = skill.id
    if skill.title:
        fields["title"] = skill.title
    if skill.user_invocable is not None:
        fields["userInvocable"] = skill.user_invocable
    return fields


def _hash_of_list(values: list[dict[str, Any]]) -> str:
    # Keys are inserted in alphabetical order; without ensure_ascii the escapes are JavaScript's.
    return _sha256(json.dumps(values, ensure_ascii=False, separators=(",", ":")))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
