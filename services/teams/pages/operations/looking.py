"""Who may see which team on pages, and what is shown of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.teams.exports import operations as exports
from services.teams.memberships import operations as memberships
from services.teams.memberships.models import MemberMachine
from services.teams.pages import store
from services.teams.pages.models import Looked, Mine, View
from services.teams.pages.rules.markdown import drawn
from services.teams.people import operations as people
from services.teams.people.models import Browser
from services.teams.sharing import operations as sharing
from services.teams.teams import operations as teams
from services.teams.teams.models import Content, Team
from shared.db import Database
from shared.errors import NotFound, Unavailable
from shared.siblings import Siblings

MOST_LISTED: Final = 500
"""Teams of a person."""

LONGEST_WAIT: Final = 10.0
"""Seconds until somebody's page is drawn, behind those of others."""

_turn: Final = asyncio.Semaphore(1)


async def by_person(database: Database, siblings: Siblings, team_id: str, person: Browser) -> View:
    """Give what somebody may see of a team that they own or have a machine in.

    Raises:
        NotFound: there is no such team, or it is not for them.
        Unavailable: auth did not say which machines are theirs.
    """
    wanted = teams.read_team_id(team_id) or ""
    async with database.connection() as connection:
        team = await teams.find_by_id(connection, wanted)
    if team is None:
        raise NotFound
    is_owner = team.owner == person.account_id
    if not is_owner:
        tokens = [each.token for each in await people.machines_of(siblings, person.account_id)]
        async with database.connection() as connection:
            if not await store.has_machine(connection, team.id, tokens):
                raise NotFound
    return View(team, teams.content_of(team), person, is_owner)


async def by_token(database: Database, key: bytes, team_id: str, token: str) -> View:
    """Give what whoever shows a view token may see of a team.

    Raises:
        NotFound: the token is none, is over, or of another team; or the team has gone.
    """
    named = sharing.read_view_token(key, token, time.time())
    if named is None or named != teams.read_team_id(team_id):
        raise NotFound
    async with database.connection() as connection:
        team = await teams.find_by_id(connection, named)
    if team is None:
        raise NotFound
    return View(team, teams.content_of(team), token=token)


def as_clone(team: Team) -> Content:
    """Give what everybody may see of a public team: what its clone would hold."""
    content = as_preview(team)
    if not team.hide_souls:
        content = replace(content, members=teams.content_of(team).members)
    return replace(content, skills=tuple(replace(each, body="") for each in content.skills))


def as_preview(team: Team) -> Content:
    """Give what whoever is invited may see of a team: neither souls nor knowledge."""
    content = teams.content_of(team)
    members = tuple(replace(each, soul="") for each in content.members)
    return replace(content, members=members, knowledge="")


async def look(content: Content) -> Looked:
    """Find what is suspicious in a team and draw its knowledge, off the event loop.

    Raises:
        Unavailable: too many pages wait already.
    """
    try:
        async with asyncio.timeout(LONGEST_WAIT), _turn:
            return await asyncio.to_thread(_look, content)
    except TimeoutError:
        raise Unavailable from None


def _look(content: Content) -> Looked:
    return Looked(exports.findings(content), drawn(content.knowledge))


async def list_mine(database: Database, siblings: Siblings, person: Browser) -> Sequence[Mine]:
    """Give the teams that somebody owns or has a machine in, by name, at most 500.

    Raises:
        Unavailable: auth did not say which machines are theirs.
    """
    tokens = [each.token for each in await people.machines_of(siblings, person.account_id)]
    async with database.connection() as connection:
        return await store.mine(connection, person.account_id, tokens, MOST_LISTED)


async def machines_in(database: Database, team_id: str) -> Sequence[MemberMachine]:
    """Give the machines of a team and those that its owner has put out, for its owner."""
    async with database.connection() as connection:
        return await memberships.machines_of(connection, team_id)


async def count_machines(database: Database, team_id: str) -> int:
    """Count the machines of a team."""
    async with database.connection() as connection:
        return await store.count_machines(connection, team_id)
