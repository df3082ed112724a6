"""What the owner of a team does to it on pages. To everybody else there is no such team."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from services.teams.invites import operations as invites
from services.teams.memberships import operations as memberships
from services.teams.memberships.models import MemberMachine
from services.teams.pages.models import (
    InviteForm,
    MemberForm,
    NewTeamForm,
    SharingForm,
    SkillForm,
)
from services.teams.pages.rules import forms
from services.teams.people.models import Browser
from services.teams.sharing import operations as sharing
from services.teams.sharing.models import Sharing
from services.teams.teams import operations as teams
from services.teams.teams.models import WEB, Content, Member, NewTeam, Skill, Team
from services.teams.versions import operations as versions
from shared.db import Connection, Database
from shared.errors import BadRequest, Conflict, NotFound

MEANWHILE: Final = (
    "Somebody changed the team meanwhile. Open the page again to see it as it is, then repeat it."
)


async def make(database: Database, person: Browser, form: NewTeamForm) -> str:
    """Make a team that somebody owns at once, and give the code of an invitation to it.

    Raises:
        BadRequest: its name, or that of its first member, is none.
    """
    first = forms.member_of(MemberForm(name=form.member, role=form.role), (), None)
    wanted = teams.read_change({"name": form.name, "members": [first]}, creating=True)
    content = teams.content_from(wanted)
    async with database.transaction() as connection:
        made = await teams.create(
            connection,
            NewTeam(content, WEB, owner=person.account_id, org_id=person.org_id or None),
        )
        return (await invites.mint(connection, made.id, WEB.name)).code


async def rename(database: Database, person: Browser, team_id: str, name: str) -> None:
    """Give a team another name.

    Raises:
        NotFound: the team is not theirs.
        BadRequest: the name is none.
    """
    async with _owned(database, person, team_id) as (connection, team):
        await _edit(connection, team, {"name": name})


async def share(database: Database, person: Browser, team_id: str, form: SharingForm) -> None:
    """Change who may look at a team, copy and change it.

    Raises:
        NotFound: the team is not theirs.
        BadRequest: a setting has a value that it cannot have.
    """
    if form.visibility not in ("public", "private") or form.edit not in ("members", "owner"):
        raise BadRequest("choose one of the answers to each question")
    wanted = Sharing(form.visibility, form.show_souls != "1", form.edit)
    async with _owned(database, person, team_id) as (connection, team):
        await sharing.change(connection, team, wanted)


async def add_invite(database: Database, person: Browser, team_id: str, form: InviteForm) -> str:
    """Make an invitation and give its code.

    Raises:
        NotFound: the team is not theirs.
        BadRequest: the number of machines is none.
    """
    hours, uses = invites.read_ttl_hours(form.hours.strip()), form.max_uses.strip()
    most = forms.count_of(uses) if uses else None
    async with _owned(database, person, team_id) as (connection, team):
        return (await invites.mint(connection, team.id, WEB.name, hours, most)).code


async def revoke_invite(database: Database, person: Browser, team_id: str, invite_id: str) -> None:
    """End an invitation.

    Raises:
        NotFound: the team is not theirs, or the invitation not of that team.
    """
    try:
        wanted = str(UUID(invite_id))
    except ValueError:
        raise NotFound from None
    async with _owned(database, person, team_id) as (connection, team):
        if not await invites.revoke(connection, team.id, wanted):
            raise NotFound


async def remove_machine(database: Database, person: Browser, team_id: str, mark: str) -> None:
    """Put a machine out of a team: no invitation lets it in until its owner does.

    Raises:
        NotFound: the team is not theirs, or the machine not in it.
    """
    async with database.transaction() as connection:
        team, machine = await _machine(connection, person, team_id, mark)
        if not await memberships.remove(connection, team.id, machine.token):
            raise NotFound


async def readmit_machine(database: Database, person: Browser, team_id: str, mark: str) -> None:
    """Let a machine that was put out come back by an invitation.

    Raises:
        NotFound: the team is not theirs, or the machine was not put out of it.
    """
    async with database.transaction() as connection:
        team, machine = await _machine(connection, person, team_id, mark)
        if not await memberships.readmit(connection, team.id, machine.token):
            raise NotFound


async def _machine(
    connection: Connection, person: Browser, team_id: str, mark: str
) -> tuple[Team, MemberMachine]:
    # The team is not locked: rows of machines are, and they come before it.
    team = await teams.find_by_id(connection, teams.read_team_id(team_id) or "")
    if team is None or team.owner is None or team.owner != person.account_id:
        raise NotFound
    for machine in await memberships.machines_of(connection, team.id):
        if machine.mark == mark:
            return team, machine
    raise NotFound


async def save_member(
    database: Database, person: Browser, team_id: str, key: str | None, form: MemberForm
) -> str:
    """Add a member to a team, or change one; give its name.

    Args:
        database: of teams.
        person: who does it.
        team_id: the team.
        key: of the member that is changed; None adds one.
        form: what was typed.

    Raises:
        NotFound: the team is not theirs, or there is no such member.
        BadRequest: what was typed makes no member.
        Conflict: the members are others than the page showed.
    """
    async with _owned(database, person, team_id) as (connection, team):
        before = teams.content_of(team).members
        old = None if key is None else forms.require(before, key)
        if old is not None:
            _check_base(form.base, team.hashes.members_hash)
        typed = forms.member_of(form, before, old)
        others = forms.as_sent(before)
        if old is None:
            wanted = [*others, typed]
        else:
            wanted = [typed if each["name"] == old.name else each for each in others]
        await _edit(connection, team, {"members": wanted})
    return str(typed["name"])


async def remove_member(
    database: Database, person: Browser, team_id: str, key: str, base: str
) -> None:
    """Remove a member from a team; raises as ``save_member``."""
    async with _owned(database, person, team_id) as (connection, team):
        _check_base(base, team.hashes.members_hash)
        before = teams.content_of(team).members
        old = forms.require(before, key)
        kept = [each for each in before if each is not old]
        await _edit(connection, team, {"members": forms.as_sent(kept)})


async def save_skill(
    database: Database, person: Browser, team_id: str, key: str | None, form: SkillForm
) -> str:
    """Add a skill to a team, or change one, in its members' lists too; give its id.

    Arguments and errors are those of ``save_member``.
    """
    async with _owned(database, person, team_id) as (connection, team):
        content = teams.content_of(team)
        old = None if key is None else forms.require(content.skills, key)
        if old is not None:
            _check_base(form.base, team.hashes.skills_hash)
        typed = forms.skill_of(form, content.skills, old)
        others = forms.as_sent(content.skills)
        if old is None:
            wanted: dict[str, Any] = {"skills": [*others, typed]}
        else:
            wanted = {"skills": [typed if each["id"] == old.id else each for each in others]}
            wanted |= _renamed(content, old, typed["id"])
        await _edit(connection, team, wanted)
    return str(typed["id"])


async def remove_skill(
    database: Database, person: Browser, team_id: str, key: str, base: str
) -> None:
    """Remove a skill from a team and from its members' lists; raises as ``save_member``."""
    async with _owned(database, person, team_id) as (connection, team):
        _check_base(base, team.hashes.skills_hash)
        content = teams.content_of(team)
        old = forms.require(content.skills, key)
        kept = [each for each in content.skills if each is not old]
        wanted = {"skills": forms.as_sent(kept), **_renamed(content, old, None)}
        await _edit(connection, team, wanted)


async def roll_back(database: Database, person: Browser, team_id: str, version: str) -> None:
    """Bring back what a team was.

    Raises:
        NotFound: the team is not theirs, or has no such version.
    """
    number = forms.number_of(version)
    async with _owned(database, person, team_id) as (connection, team):
        await versions.restore(connection, team, number, WEB)


async def delete(database: Database, person: Browser, team_id: str, name: str) -> None:
    """Delete a team, whose name was typed again.

    Raises:
        NotFound: the team is not theirs.
        BadRequest: its name is another one.
    """
    async with _owned(database, person, team_id) as (connection, team):
        if name.strip() != team.name:
            raise BadRequest("that is not the name of the team, so it was not deleted")
        await teams.delete(connection, team)


@asynccontextmanager
async def _owned(
    database: Database, person: Browser, team_id: str
) -> AsyncIterator[tuple[Connection, Team]]:
    """Hold a team in a transaction for its owner."""
    wanted = teams.read_team_id(team_id) or ""
    async with database.transaction() as connection:
        team = await teams.lock_by_id(connection, wanted)
        if team is None or team.owner is None or team.owner != person.account_id:
            raise NotFound
        yield connection, team


async def _edit(connection: Connection, team: Team, value: Mapping[str, Any]) -> None:
    await teams.edit(connection, team, teams.read_change(value, creating=False), WEB)


def _renamed(content: Content, skill: Skill, name: str | None) -> dict[str, Any]:
    """Give the members with another id of a skill in their lists, or without it."""
    if skill.id == name or not any(skill.id in each.skills for each in content.members):
        return {}

    def ids(member: Member) -> tuple[str, ...]:
        named = (name if one == skill.id else one for one in member.skills)
        return tuple(one for one in named if one is not None)

    members = [replace(each, skills=ids(each)) for each in content.members]
    return {"members": forms.as_sent(members)}


def _check_base(base: str, stands: str) -> None:
    if base != stands:
        raise Conflict(MEANWHILE)
