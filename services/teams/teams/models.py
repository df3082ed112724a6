"""What a team consists of (teams contract, section 3)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One agent of a team; empty texts and lists count as absent.

    Attributes:
        name: unique in its team.
        role: in a few words.
        description: when to use it.
        soul: its instructions.
        skills: ids of skills, in the order given.
    """

    name: str
    role: str
    description: str = ""
    soul: str = ""
    skills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skill:
    """One skill; None and empty texts count as absent, False does not.

    The last two are stored and given back, but no hash covers them.
    """

    id: str
    title: str = ""
    description: str = ""
    always_apply: bool | None = None
    globs: tuple[str, ...] = ()
    user_invocable: bool | None = None
    body: str = ""
    disable_model_invocation: bool | None = None
    argument_hint: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """All that a team's version holds; members and skills in the order they were added.

    ``knowledge`` is empty where there is none.
    """

    name: str
    members: tuple[Member, ...] = ()
    skills: tuple[Skill, ...] = ()
    platforms: tuple[str, ...] = ()
    knowledge: str = ""


@dataclass(frozen=True, slots=True)
class Hashes:
    """What clients compare, 64 lowercase hex digits each (section 6.1)."""

    hash: str
    members_hash: str
    skills_hash: str
    knowledge_hash: str


@dataclass(frozen=True, slots=True)
class NewMember:
    """A member as a writer gave it: without ``description`` the one that stands is kept."""

    member: Member
    is_described: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """What a writer wants of a team; None leaves a part as it is (section 5, step 3)."""

    name: str | None = None
    members: tuple[NewMember, ...] | None = None
    skills: tuple[Skill, ...] | None = None
    platforms: tuple[str, ...] | None = None
    knowledge: str | None = None


@dataclass(frozen=True, slots=True)
class TeamParts:
    """A team as it is stored; the three lists are the JSON that is sent (section 3).

    Attributes:
        id: a UUID.
        name: of the team.
        knowledge: empty where there is none.
        hashes: of its content.
        members: an array, empty ``[]``.
        skills: an array, empty ``[]``.
        platforms: an array, empty ``[]``.
    """

    id: str
    name: str
    knowledge: str
    hashes: Hashes
    members: str
    skills: str
    platforms: str
