"""What was typed into forms, as the team that ``POST /api/teams`` would be sent.

Limits and texts are those of that route (teams contract, section 4.1). Beyond it, names that are
typed here must be ones that clients can read: theirs become names of files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from services.teams.pages.models import MemberForm, SkillForm
from services.teams.pages.rules.texts import key_of, unchanged, written
from services.teams.teams.models import Member, Skill
from shared.errors import BadRequest, NotFound

EntryT = TypeVar("EntryT", Member, Skill)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_APART: Final = re.compile(r"[\s,]+")
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


def member_of(form: MemberForm, members: Sequence[Member], before: Member | None) -> dict[str, Any]:
    """Give a member as it was typed.

    Args:
        form: what was typed.
        members: those of the team.
        before: the one that is changed; None for a new one.

    Raises:
        BadRequest: no client could read its name.
    """
    name = form.name.strip()
    if before is None or name != before.name:
        others = (each.name for each in members if each is not before)
        _check_name("member", name, others)
    soul, description = written(form.soul), written(form.description)
    if before is not None:
        soul = before.soul if unchanged(before.soul, soul) else soul
        description = (
            before.description if unchanged(before.description, description) else description
        )
    return {
        "name": name,
        "role": form.role.strip(),
        "description": description,
        "soul": soul,
        "skills": [word for word in _APART.split(form.skills) if word],
    }


def skill_of(form: SkillForm, skills: Sequence[Skill], before: Skill | None) -> dict[str, Any]:
    """Give a skill as it was typed; raises as ``member_of``.

    A tick that is off means false where the skill said something before, else nothing.
    """
    name = form.id.strip()
    if before is None or name != before.id:
        _check_name("skill", name, (each.id for each in skills if each is not before))
    body = written(form.body)
    was = before or Skill("")
    return {
        "id": name,
        "title": form.title.strip(),
        "description": form.description.strip(),
        "body": was.body if unchanged(was.body, body) else body,
        "globs": [line.strip() for line in written(form.globs).split("\n") if line.strip()],
        "argumentHint": form.argument_hint.strip(),
        "alwaysApply": _tick(form.always_apply, was.always_apply),
        "userInvocable": _tick(form.user_invocable, was.user_invocable),
        "disableModelInvocation": _tick(
            form.disable_model_invocation, was.disable_model_invocation
        ),
    }


def form_of_member(member: Member, base: str) -> MemberForm:
    """Give the form that shows a member as it stands; ``base`` is the hash of all members."""
    return MemberForm(
        base=base,
        name=member.name,
        role=member.role,
        description=member.description,
        soul=member.soul,
        skills=" ".join(member.skills),
    )


def form_of_skill(skill: Skill, base: str) -> SkillForm:
    """Give the form that shows a skill as it stands; ``base`` is the hash of all skills."""
    return SkillForm(
        base=base,
        id=skill.id,
        title=skill.title,
        description=skill.description,
        body=skill.body,
        globs="\n".join(skill.globs),
        argument_hint=skill.argument_hint,
        always_apply="1" if skill.always_apply else "",
        user_invocable="1" if skill.user_invocable else "",
        disable_model_invocation="1" if skill.disable_model_invocation else "",
    )


def as_sent(entries: Iterable[Member | Skill]) -> list[dict[str, Any]]:
    """Give members or skills as they would be sent."""
    return [_member(each) if isinstance(each, Member) else _skill(each) for each in entries]


def require(entries: Sequence[EntryT], key: str) -> EntryT:
    """Give the member or skill that a word in an address stands for.

    Raises:
        NotFound: there is none.
    """
    for each in entries:
        if key_of(each.name if isinstance(each, Member) else each.id) == key:
            return each
    raise NotFound


def number_of(text: str) -> int:
    """Read the number of a version.

    Raises:
        NotFound: no version can have it.
    """
    if not _NUMBER.fullmatch(text):
        raise NotFound
    return int(text)


def count_of(text: str) -> int:
    """Read how many machines an invitation admits.

    Raises:
        BadRequest: it is no number above 0.
    """
    if not _NUMBER.fullmatch(text):
        raise BadRequest("the number of machines must be 1 or more")
    return int(text)


def _check_name(what: str, name: str, others: Iterable[str]) -> None:
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"the name of a {what} has 1 to 64 letters, digits, hyphens and underscores, and begins"
            " with a letter or digit"
        )
    slug = _slug(name)
    for other in others:
        if _slug(other) == slug:
            raise BadRequest(f"a {what} is called '{other}' already, which is too much alike")


def _slug(name: str) -> str:
    return _OTHER.sub("-", name.lower())


def _tick(value: str, before: bool | None) -> bool | None:
    if value:
        return True
    return None if before is None else False


def _member(member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "role": member.role,
        "description": member.description,
        "soul": member.soul,
        "skills": list(member.skills),
    }


def _skill(skill: Skill) -> dict[str, Any]:
    return {
        "id": skill.id,
        "title": skill.title,
        "description": skill.description,
        "body": skill.body,
        "globs": list(skill.globs),
        "argumentHint": skill.argument_hint,
        "alwaysApply": skill.always_apply,
        "userInvocable": skill.user_invocable,
        "disableModelInvocation": skill.disable_model_invocation,
    }
