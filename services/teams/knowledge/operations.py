"""Use cases of knowledge: append to it, over HTTP or a socket, follow it, look it up."""

from __future__ import annotations

from functools import partial

from services.teams.knowledge import rules, store
from services.teams.knowledge.models import (
    KnowledgeJoined,
    KnowledgeQuestion,
    KnowledgeStored,
    SkillText,
    TeamKnowledge,
)
from services.teams.machines import operations as machines
from services.teams.memberships import operations as memberships
from services.teams.people import operations as people
from services.teams.replays import operations as replays
from services.teams.replays.models import Done, Signed
from services.teams.teams import operations as teams
from services.teams.teams.models import Actor, Edit, Team
from shared.api import Reply
from shared.db import Connection, Database
from shared.errors import NotFound
from shared.siblings import Siblings


async def add(database: Database, signed: Signed) -> Reply:
    """Append what is new of a text to a team's knowledge (``POST /api/teams/knowledge``).

    Raises:
        BadRequest: there is no text, or it is too long.
        NotFound: the machine has no such team.
        Conflict: it has several and names none.
    """
    content = rules.read_content(signed.body)
    team_id = teams.read_team_id(signed.body.get("team_id"))
    work = partial(_add, signed.token, team_id, content)
    return await replays.once(database, signed, work)


async def _add(token: str, team_id: str | None, content: str, connection: Connection) -> Done:
    team = await teams.lock_knowledge(connection, token, team_id)
    stored = await _append(connection, team, content, Actor.machine(token))
    return Done(stored.model_dump_json().encode(), team_id=team.id)


async def push(
    database: Database, token: str, team_id: str, content: str, source: str
) -> KnowledgeStored:
    """Append to a team's knowledge through a socket (section 10.3).

    Args:
        database: of teams.
        token: of the machine, one push a second.
        team_id: the topic's.
        content: at most 100,000 bytes.
        source: ``socket:<id>``, which is not told.

    Raises:
        NotFound: the machine is no member (any more).
        RateLimited: its last push is younger than a second.
    """
    async with database.transaction() as connection:
        await machines.take_push(connection, token)
        team = await teams.lock_knowledge(connection, token, teams.read_team_id(team_id))
        return await _append(connection, team, content, Actor(token[:12], source))


async def join(database: Database, token: str, team_id: str) -> KnowledgeJoined:
    """Give what a socket that joins is told.

    Raises:
        NotFound: there is no such team, or the machine is no member.
    """
    asked = teams.read_team_id(team_id)
    async with database.connection() as connection:
        row = asked and await store.find(connection, token, asked)
    if not row:
        raise NotFound
    return KnowledgeJoined(row["news_number"], row["knowledge_hash"], row["size"])


async def look_up(
    database: Database, siblings: Siblings, asked: KnowledgeQuestion
) -> TeamKnowledge:
    """Tell a sibling service what a team knows, if the account owns it or has a machine in it.

    Members and with them their souls are left out. A stranger is told the same as if there were no
    such team.

    Raises:
        Unavailable: auth did not say which machines the account has.
    """
    wanted = teams.read_team_id(asked.team_id) or ""
    async with database.connection() as connection:
        team = await teams.find_by_id(connection, wanted)
    if team is None or not await _may_read(database, siblings, team, asked.account_id):
        return TeamKnowledge(found=False)
    skills = [
        SkillText(id=skill.id, title=skill.title, description=skill.description, body=skill.body)
        for skill in teams.content_of(team).skills
    ]
    return TeamKnowledge(found=True, name=team.name, knowledge=team.knowledge, skills=skills)


async def _may_read(database: Database, siblings: Siblings, team: Team, account_id: str) -> bool:
    """Tell whether a team stands among an account's teams."""
    if not account_id:
        return False
    if team.owner == account_id:
        return True
    machines_of = await people.machines_of(siblings, account_id)
    pairs = [(machine.token, team.id) for machine in machines_of]
    return bool(pairs and await memberships.still(database, pairs))


async def _append(
    connection: Connection, team: Team, content: str, actor: Actor
) -> KnowledgeStored:
    after = teams.knowledge_after(team.knowledge, content)
    summary = rules.summary(team.knowledge, after)
    changed = await teams.change(connection, team, Edit(knowledge=after), actor, summary)
    return KnowledgeStored(
        knowledge_hash=changed.hashes.knowledge_hash,
        knowledge_size=len(changed.knowledge.encode()),
    )
