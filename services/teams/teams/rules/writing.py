"""A team as JSON: stored in this form, and sent as it is stored (teams contract, section 3).

Absent parts have no key, other characters than ASCII stand for themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from services.teams.teams.models import Content, Hashes, Member, Skill, TeamParts


def members_json(members: Iterable[Member]) -> str:
    """Write the members of a team, an array."""
    return _dumps([_member(each) for each in members])


def skills_json(skills: Iterable[Skill]) -> str:
    """Write the skills of a team, an array."""
    return _dumps([_skill(each) for each in skills])


def platforms_json(platforms: Sequence[str]) -> str:
    """Write the platforms of a team, an array."""
    return _dumps(list(platforms))


def members_from(text: str) -> tuple[Member, ...]:
    """Read what ``members_json`` wrote."""
    return tuple(
        Member(
            name=each["name"],
            role=each["role"],
            description=each.get("description", ""),
            soul=each.get("soul", ""),
            skills=tuple(each.get("skills", ())),
        )
        for each in json.loads(text)
    )


def skills_from(text: str) -> tuple[Skill, ...]:
    """Read what ``skills_json`` wrote."""
    return tuple(
        Skill(
            id=each["id"],
            title=each.get("title", ""),
            description=each.get("description", ""),
            always_apply=each.get("alwaysApply"),
            globs=tuple(each.get("globs", ())),
            user_invocable=each.get("userInvocable"),
            body=each.get("body", ""),
            disable_model_invocation=each.get("disableModelInvocation"),
            argument_hint=each.get("argumentHint", ""),
        )
        for each in json.loads(text)
    )


def platforms_from(text: str) -> tuple[str, ...]:
    """Read what ``platforms_json`` wrote."""
    return tuple(json.loads(text))


def parts_of(team_id: str, content: Content, hashes: Hashes) -> TeamParts:
    """Write each part of a team's content."""
    return TeamParts(
        id=team_id,
        name=content.name,
        knowledge=content.knowledge,
        hashes=hashes,
        members=members_json(content.members),
        skills=skills_json(content.skills),
        platforms=platforms_json(content.platforms),
    )


def content_of(parts: TeamParts) -> Content:
    """Read the content of a team back from its parts."""
    return Content(
        name=parts.name,
        members=members_from(parts.members),
        skills=skills_from(parts.skills),
        platforms=platforms_from(parts.platforms),
        knowledge=parts.knowledge,
    )


def team_data(parts: TeamParts, owner_claim_secret: str | None = None) -> bytes:
    """Give the team object; the stored arrays go into it unread.

    Args:
        parts: the team.
        owner_claim_secret: for the answer that created a team without an owner, and no other.
    """
    knowledge = _dumps(parts.knowledge or None)
    fields = _before_members(parts, f'"knowledge":{knowledge},') + _after_members(parts)
    if owner_claim_secret is not None:
        fields += f',"owner_claim_secret":{_dumps(owner_claim_secret)}'
    return f"{{{fields}}}".encode()


def preview_data(parts: TeamParts) -> bytes:
    """Give the team object for the holder of an invite: no knowledge and no souls."""
    shown = replace(parts, members=_without_souls(parts.members))
    return f"{{{_before_members(shown)}{_after_members(shown)}}}".encode()


def clone_data(parts: TeamParts, *, hide_souls: bool = False) -> bytes:
    """Give the team object for everybody: no knowledge, no bodies of skills; ``skills`` always."""
    bodiless = [replace(each, body="") for each in skills_from(parts.skills)]
    shown = replace(
        parts,
        members=_without_souls(parts.members) if hide_souls else parts.members,
        skills=skills_json(bodiless),
    )
    fields = _before_members(shown) + _after_members(shown, keeps_empty_skills=True)
    return f"{{{fields}}}".encode()


def _before_members(parts: TeamParts, knowledge: str = "") -> str:
    hashes = parts.hashes
    return (
        f'"id":{_dumps(parts.id)},"name":{_dumps(parts.name)},{knowledge}'
        f'"hash":"{hashes.hash}","members_hash":"{hashes.members_hash}",'
        f'"skills_hash":"{hashes.skills_hash}","knowledge_hash":"{hashes.knowledge_hash}",'
    )


def _after_members(parts: TeamParts, *, keeps_empty_skills: bool = False) -> str:
    fields = f'"members":{parts.members}'
    if parts.skills != "[]" or keeps_empty_skills:
        fields += f',"skills":{parts.skills}'
    if parts.platforms != "[]":
        fields += f',"platforms":{parts.platforms}'
    return fields


def _without_souls(members: str) -> str:
    return members_json(replace(each, soul="") for each in members_from(members))


def _member(member: Member) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": member.name, "role": member.role}
    if member.description:
        fields["description"] = member.description
    if member.soul:
        fields["soul"] = member.soul
    if member.skills:
        fields["skills"] = member.skills
    return fields


def _skill(skill: Skill) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": skill.id,
        "title": skill.title or None,
        "description": skill.description or None,
        "alwaysApply": skill.always_apply,
        "globs": skill.globs or None,
        "userInvocable": skill.user_invocable,
        "body": skill.body or None,
        "disableModelInvocation": skill.disable_model_invocation,
        "argumentHint": skill.argument_hint or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
