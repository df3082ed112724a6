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


@dataclass(frozen=True, slots=True)
class Edit:
    """What of a team's content is to be written; None leaves a part as it is."""

    name: str | None = None
    members: tuple[Member, ...] | None = None
    skills: tuple[Skill, ...] | None = None
    platforms: tuple[str, ...] | None = None
    knowledge: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Team(TeamParts):
    """A team's row.

    Attributes:
        version: the number of its newest version.
        revision: rises with every change that a reader could see.
        visibility: ``private`` or ``public``.
        hide_souls: whether a clone is given without souls.
        edit: who may change it: ``members`` or ``owner``.
        clone_token: under which it is public, once it was.
        owner: the account that owns it.
        news_number: of the newest news.
    """

    version: int
    revision: int
    visibility: str
    hide_souls: bool
    edit: str
    clone_token: str | None
    owner: str | None
    news_number: int


@dataclass(frozen=True, slots=True)
class Head:
    """What is told of a team most often: which, its revision, its hashes."""

    id: str
    revision: int
    hashes: Hashes


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes a team.

    Attributes:
        name: as versions show it: the first 12 characters of a token, or ``web``.
        source: who is not told of the change; see ``news.models.News``.
    """

    name: str
    source: str

    @classmethod
    def machine(cls, token: str) -> Actor:
        """A machine that calls over HTTP: none of its own sockets is told."""
        return cls(token[:SHOWN], f"token:{token}")

    @classmethod
    def socket(cls, token: str, socket_id: str) -> Actor:
        """A machine that pushes through a socket: every socket but that one is told."""
        return cls(token[:SHOWN], f"socket:{socket_id}")


SHOWN = 12
"""Characters of a token that may be shown (sections 8 and 13)."""

WEB = Actor("web", "")
"""A person in a browser: every socket is told."""


@dataclass(frozen=True, slots=True, repr=False)
class NewTeam:
    """A team as it is made.

    Attributes:
        content: what it consists of.
        actor: who makes it.
        token: the machine that becomes its first member, if one makes it.
        owner: the account that owns it from the start.
        org_id: the organization in which that account acts, if known.
        claim_lookup: digest by which the secret that claims it is found.
        claim_hash: slow hash of that secret.
    """

    content: Content
    actor: Actor
    token: str | None = None
    owner: str | None = None
    org_id: str | None = None
    claim_lookup: bytes | None = None
    claim_hash: str | None = None
