"""What a writer sends of a team, checked (teams contract, section 4.1).

The first failure wins; the texts are the contract's. Beyond it stand limits for texts that it names
none for, each above what clients send.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from services.teams.teams.models import Change, Member, NewMember, Skill
from services.teams.teams.rules.canonical import WHITESPACE
from shared.errors import BadRequest

PLATFORMS: Final = frozenset(
    (
        "claude-code",
        "cursor",
        "codex",
        "gemini",
        "openclaw",
        "claude-desktop",
        "copilot",
        "amazon-q",
        "windsurf",
        "cline",
    )
)

MOST_MEMBERS: Final = 20
MOST_SKILLS: Final = 50
LONGEST_KNOWLEDGE: Final = 100_000
LONGEST_BODY: Final = 10_000
# Bytes of UTF-8, as all limits here.
LONGEST_OF_MEMBER: Final = {"name": 64, "role": 256, "soul": 10_000, "description": 1_024}
LONGEST_OF_SKILL: Final = {"title": 512, "description": 4_096, "argumentHint": 1_024}
# Of the lists inside: the ids of a member's skills, the globs of a skill.
MOST_ENTRIES: Final = 200
LONGEST_ENTRY: Final = 512

_LONGEST_SHOWN: Final = 256
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]*")
_SKILL_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_ABSENT: Final = object()


class _Misfit(Exception):
    """A field of an entry is of the wrong type, or larger than it may be."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def read_change(value: object, *, creating: bool) -> Change:
    """Read the ``team`` of a request. Keys it does not know are dropped.

    Args:
        value: any JSON value.
        creating: whether the team is to be; then it needs a name, and what is left out is empty.

    Raises:
        BadRequest: the first rule that it breaks, whatever the value.
    """
    if not isinstance(value, Mapping):
        raise BadRequest("team must be an object")
    return Change(
        name=_read_name(value.get("name", _ABSENT), creating=creating),
        members=_read_members(value["members"]) if "members" in value else _left_out(creating),
        skills=_read_skills(value["skills"]) if "skills" in value else _left_out(creating),
        knowledge=_read_knowledge(value.get("knowledge")),
        platforms=_read_platforms(value["platforms"])
        if "platforms" in value
        else _left_out(creating),
    )


def read_base_hash(value: object) -> str | None:
    """Read ``base_hash``; what is no hash counts as absent."""
    return value if isinstance(value, str) and _HASH.fullmatch(value) else None


def is_storable(text: str) -> bool:
    """Tell whether the database can hold a text: it has neither NUL nor half a surrogate pair."""
    if "\0" in text:
        return False
    try:
        # Many times faster than a pattern.
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def size_of(text: str) -> int:
    """Count the bytes of a text in UTF-8, whatever it holds."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _left_out(creating: bool) -> tuple[()] | None:
    return () if creating else None


def _read_name(value: object, *, creating: bool) -> str | None:
    if value is _ABSENT:
        if creating:
            raise BadRequest("team name must not be empty")
        return None
    if not isinstance(value, str):
        raise BadRequest("team name must be a string")
    name = value.strip(WHITESPACE)
    if not name:
        raise BadRequest("team name must not be empty")
    if size_of(name) > 64:
        raise BadRequest("team name must be 64 characters or fewer")
    if not _NAME.fullmatch(name):
        raise BadRequest(
            "team name must be alphanumeric (hyphens, underscores, and spaces allowed)"
        )
    return name


def _read_members(value: object) -> tuple[NewMember, ...]:
    if not isinstance(value, list):
        raise BadRequest("members must be a list")
    if len(value) > MOST_MEMBERS:
        raise BadRequest(f"team may have at most {MOST_MEMBERS} members")
    members: dict[str, NewMember] = {}
    for each in value:
        new = _read_member(each)
        if new.member.name in members:
            raise BadRequest(f"duplicate member '{new.member.name}'")
        members[new.member.name] = new
    return tuple(members.values())


def _read_member(value: object) -> NewMember:
    if not isinstance(value, Mapping):
        raise BadRequest("members must be objects")
    name, role = (_read_word(value, key) for key in ("name", "role"))
    try:
        for key in ("name", "role"):
            _check(value[key], LONGEST_OF_MEMBER[key], key)
        member = Member(
            name=name,
            role=role,
            description=_read_text(value, "description", LONGEST_OF_MEMBER["description"]),
            soul=_read_text(value, "soul", LONGEST_OF_MEMBER["soul"]),
            skills=_read_texts(value, "skills"),
        )
    except _Misfit as misfit:
        raise BadRequest(f"member '{_shown(name, 32)}' {misfit.problem}") from None
    return NewMember(member, is_described="description" in value)


def _read_word(value: Mapping[str, Any], key: str) -> str:
    word = value.get(key)
    if not isinstance(word, str) or not word.strip(WHITESPACE):
        raise BadRequest(f"member {key} must not be empty")
    return word


def _read_skills(value: object) -> tuple[Skill, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadRequest("skills must be a list")
    if len(value) > MOST_SKILLS:
        raise BadRequest(f"skills may have at most {MOST_SKILLS} entries")
    skills: dict[str, Skill] = {}
    for each in value:
        skill = _read_skill(each)
        if skill.id in skills:
            raise BadRequest(f"duplicate skill '{skill.id}'")
        skills[skill.id] = skill
    return tuple(skills.values())


def _read_skill(value: object) -> Skill:
    identifier = value.get("id") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(identifier, str):
        raise BadRequest("skills entry has invalid id: 'missing'")
    if not _SKILL_ID.fullmatch(identifier):
        shown = _shown(identifier, _LONGEST_SHOWN) or "missing"
        raise BadRequest(f"skills entry has invalid id: '{shown}'")
    try:
        return Skill(
            id=identifier,
            title=_read_text(value, "title", LONGEST_OF_SKILL["title"]),
            description=_read_text(value, "description", LONGEST_OF_SKILL["description"]),
            always_apply=_read_flag(value, "alwaysApply"),
            globs=_read_texts(value, "globs"),
            user_invocable=_read_flag(value, "userInvocable"),
            body=_read_body(value),
            disable_model_invocation=_read_flag(value, "disableModelInvocation"),
            argument_hint=_read_text(value, "argumentHint", LONGEST_OF_SKILL["argumentHint"]),
        )
    except _Misfit as misfit:
        raise BadRequest(f"skills entry '{identifier}' {misfit.problem}") from None


def _read_body(value: Mapping[str, Any]) -> str:
    body = value.get("body")
    if isinstance(body, Mapping):
        # A new team's client sends where it will read the text from; the text follows.
        return ""
    if isinstance(body, str) and size_of(body) > LONGEST_BODY:
        raise _Misfit(f"body exceeds {LONGEST_BODY} bytes")
    return _read_text(value, "body", LONGEST_BODY)


def _read_knowledge(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRequest("knowledge must be a string")
    if size_of(value) > LONGEST_KNOWLEDGE:
        raise BadRequest(f"knowledge exceeds maximum size of {LONGEST_KNOWLEDGE:,} bytes")
    if not is_storable(value):
        raise BadRequest("knowledge has invalid characters")
    return value


def _read_platforms(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadRequest("platforms must be a list")
    for each in value:
        if not isinstance(each, str):
            raise BadRequest("unknown platform: 'not a string'")
        if each not in PLATFORMS:
            raise BadRequest(f"unknown platform: '{_shown(each, _LONGEST_SHOWN)}'")
    return tuple(dict.fromkeys(value))


def _read_text(value: Mapping[str, Any], key: str, limit: int) -> str:
    text = value.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        _refuse_type()
    _check(text, limit, key)
    return text


def _read_texts(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    texts = value.get(key)
    if texts is None:
        return ()
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        _refuse_type()
    if len(texts) > MOST_ENTRIES:
        _refuse_size()
    for each in texts:
        _check(each, LONGEST_ENTRY, key)
    return tuple(texts)


def _read_flag(value: Mapping[str, Any], key: str) -> bool | None:
    flag = value.get(key)
    if flag is not None and not isinstance(flag, bool):
        _refuse_type()
    return flag


def _check(text: str, limit: int, key: str) -> None:
    if size_of(text) > limit:
        _refuse_size()
    if not is_storable(text):
        raise _Misfit(f"has invalid characters in {key}")


def _refuse_type() -> NoReturn:
    raise _Misfit("has invalid fields")


def _refuse_size() -> NoReturn:
    raise _Misfit("exceeds field size limits")


def _shown(text: str, characters: int) -> str:
    """Cut a sender's text for a message, and replace what an answer cannot carry."""
    return _UNSTORABLE.sub("\ufffd", text[:characters])
