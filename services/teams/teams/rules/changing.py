"""What a team consists of after somebody has written to it (teams contract, section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from services.teams.teams.models import Change, Content, Hashes, Member, NewMember, Skill
from services.teams.teams.rules.canonical import members_hash, skills_hash
from services.teams.teams.rules.pruning import knowledge_after

T = TypeVar("T")


class Clash(Exception):
    """The writer knew another state than the one that stands; nothing may be written."""


def create(change: Change) -> Content:
    """Give the content of a new team; its knowledge is kept as it was sent."""
    return _apply(Content(name=""), change)


def settle(current: Content, hashes: Hashes, change: Change, base_hash: str | None) -> Content:
    """Give the content after a change.

    Parts that the change leaves out stay as they are; members are told apart by name, skills by id,
    and those that stay keep their place. Knowledge is merged, never replaced.

    Args:
        current: what stands.
        hashes: of what stands.
        change: what the writer wants.
        base_hash: of the state the writer knew; without one the last writer wins.

    Raises:
        Clash: another state stands, and more than knowledge would change.
    """
    wanted = _apply(current, change)
    if base_hash is None or base_hash == hashes.hash:
        return wanted
    if change.knowledge is None or not _has_equal_hashes(wanted, hashes):
        raise Clash
    return replace(current, knowledge=wanted.knowledge)


def is_same(one: Content, other: Content) -> bool:
    """Tell whether two contents differ in nothing that is stored."""
    return one == other


def summary_of(before: Content | None, after: Content) -> str:
    """Say in a few words what a version changed, for the list of versions.

    For example ``members +2 -1 ~3, knowledge +120 bytes``: added, removed, changed; ``moved`` where
    only their order differs.
    """
    if before is None:
        return f"created: members {len(after.members)}, skills {len(after.skills)}"
    parts = [
        "name" if before.name != after.name else "",
        _difference("members", before.members, after.members, _name),
        _difference("skills", before.skills, after.skills, _id),
        _difference("platforms", before.platforms, after.platforms, str),
        _knowledge_difference(before.knowledge, after.knowledge),
    ]
    return ", ".join(part for part in parts if part) or "no change"


def _apply(current: Content, change: Change) -> Content:
    content = current
    if change.name is not None:
        content = replace(content, name=change.name)
    if change.members is not None:
        content = replace(content, members=_members(current.members, change.members))
    if change.skills is not None:
        content = replace(content, skills=_in_place(current.skills, change.skills, _id))
    if change.platforms is not None:
        content = replace(content, platforms=_in_place(current.platforms, change.platforms, str))
    if change.knowledge is not None:
        knowledge = knowledge_after(current.knowledge, change.knowledge)
        content = replace(content, knowledge=knowledge)
    return content


def _has_equal_hashes(wanted: Content, hashes: Hashes) -> bool:
    return (
        members_hash(wanted.members) == hashes.members_hash
        and skills_hash(wanted.skills) == hashes.skills_hash
    )


def _members(current: tuple[Member, ...], new: Iterable[NewMember]) -> tuple[Member, ...]:
    described = {member.name: member.description for member in current}
    wanted = [
        each.member
        if each.is_described
        else replace(each.member, description=described.get(each.member.name, ""))
        for each in new
    ]
    return _in_place(current, wanted, _name)


def _in_place(current: Iterable[T], wanted: Iterable[T], key: Callable[[T], str]) -> tuple[T, ...]:
    """Give what is wanted: first what stands already, in its order, then what is new."""
    left = {key(item): item for item in wanted}
    kept = [left.pop(key(item)) for item in current if key(item) in left]
    return (*kept, *left.values())


def _difference(
    what: str, before: tuple[T, ...], after: tuple[T, ...], key: Callable[[T], str]
) -> str:
    if before == after:
        return ""
    old = {key(item): item for item in before}
    new = {key(item): item for item in after}
    counts = {
        "+": len(new.keys() - old.keys()),
        "-": len(old.keys() - new.keys()),
        "~": sum(old[name] != new[name] for name in old.keys() & new.keys()),
    }
    said = [f"{sign}{count}" for sign, count in counts.items() if count]
    return " ".join([what, *(said or ["moved"])])


def _knowledge_difference(before: str, after: str) -> str:
    if before == after:
        return ""
    grown = len(after.encode()) - len(before.encode())
    return f"knowledge {grown:+d} bytes" if grown else "knowledge changed"


def _name(member: Member) -> str:
    return member.name


def _id(skill: Skill) -> str:
    return skill.id
