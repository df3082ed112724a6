"""The one way in which a team's content changes, whoever changes it."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from pydantic_core import to_json

from services.teams.replays import operations as replays
from services.teams.teams import rules, store
from services.teams.teams.models import Actor, Change, Content, Edit, Hashes, NewTeam, Team
from services.teams.teams.store.writing import Written
from shared.bus import Event, outbox
from shared.contracts.teams import KnowledgeChanged, TeamChanged, TeamCreated, TeamJoined
from shared.db import Connection


async def create(connection: Connection, team: NewTeam) -> Team:
    """Make a team, its first version, and its first member if a machine makes it.

    Says team.created, and team.joined of the machine.
    """
    team_id = str(uuid4())
    content = team.content
    hashes = rules.hashes_of(content)
    written = _written(
        Edit(content.name, content.members, content.skills, content.platforms, content.knowledge)
    )
    await store.insert(connection, team_id, team, written, hashes, "created")
    events: list[Event] = [TeamCreated(team_id=team_id, name=content.name, owner=team.owner or "")]
    if team.token is not None:
        await store.add_member(connection, team.token, team_id, None)
        await replays.drop_of_token(connection, team.token)
        events.append(TeamJoined(team_id=team_id, token=team.token))
    await outbox.add_all(connection, events)
    made = await store.find_by_id(connection, team_id)
    assert made is not None  # of this transaction
    return made


def between(before: Content, after: Content) -> Edit:
    """Give the edit that makes one content of the other."""
    return Edit(
        None if before.name == after.name else after.name,
        None if before.members == after.members else after.members,
        None if before.skills == after.skills else after.skills,
        None if before.platforms == after.platforms else after.platforms,
        None if before.knowledge == after.knowledge else after.knowledge,
    )


async def change(
    connection: Connection, team: Team, edit: Edit, actor: Actor, summary: str
) -> Team:
    """Write the parts of a team that an edit changes: row, version, news, events; all or nothing.

    Says team.changed, and knowledge.changed if the text of its knowledge is another one. An edit
    that changes nothing writes nothing.

    Args:
        connection: in a transaction that holds the team's row.
        team: the row as it is.
        edit: what is to be; unchanged parts in it are left out.
        actor: who does it.
        summary: for the list of versions.
    """
    written = _differing(team, _written(edit))
    if written == Written(None, None, None, None, None):
        return team
    hashes = _hashes(team.hashes, edit, written)
    number = team.news_number + (written.knowledge is not None)
    events: list[Event] = [
        TeamChanged(
            team_id=team.id, revision=team.revision + 1, version=team.version + 1, hash=hashes.hash
        )
    ]
    news = None
    if written.knowledge is not None:
        news = _news(written.knowledge, hashes)
        events.append(
            KnowledgeChanged(team_id=team.id, number=number, knowledge_hash=hashes.knowledge_hash)
        )
    await store.write(connection, team.id, written, hashes, actor, summary, news, events)
    await replays.drop_of_team(connection, team.id)
    return replace(
        team,
        name=team.name if written.name is None else written.name,
        members=team.members if written.members is None else written.members,
        skills=team.skills if written.skills is None else written.skills,
        platforms=team.platforms if written.platforms is None else written.platforms,
        knowledge=team.knowledge if written.knowledge is None else written.knowledge,
        hashes=hashes,
        version=team.version + 1,
        revision=team.revision + 1,
        news_number=number,
    )


async def edit(connection: Connection, team: Team, wanted: Change, actor: Actor) -> Team:
    """Change what a writer wants of a team, who knows it as it stands.

    Args:
        connection: in a transaction that holds the team's row.
        team: the row as it is.
        wanted: what is left out stays; knowledge is merged.
        actor: who does it.
    """
    before = rules.content_of(team)
    after = rules.settle(before, team.hashes, wanted, None)
    summary = rules.summary_of(before, after)
    return await change(connection, team, between(before, after), actor, summary)


def _written(edit: Edit) -> Written:
    return Written(
        edit.name,
        None if edit.members is None else rules.members_json(edit.members),
        None if edit.skills is None else rules.skills_json(edit.skills),
        None if edit.platforms is None else rules.platforms_json(edit.platforms),
        edit.knowledge,
    )


def _differing(team: Team, written: Written) -> Written:
    def new(part: str) -> str | None:
        value: str | None = getattr(written, part)
        return None if value == getattr(team, part) else value

    return Written(*(new(part) for part in Written.__slots__))


def _hashes(before: Hashes, edit: Edit, written: Written) -> Hashes:
    members, skills, knowledge = (before.members_hash, before.skills_hash, before.knowledge_hash)
    if written.members is not None and edit.members is not None:
        members = rules.members_hash(edit.members)
    if written.skills is not None and edit.skills is not None:
        skills = rules.skills_hash(edit.skills)
    if written.knowledge is not None:
        knowledge = rules.knowledge_hash(written.knowledge)
    return Hashes(rules.team_hash(members, skills, knowledge), members, skills, knowledge)


def _news(knowledge: str, hashes: Hashes) -> str:
    payload = {
        "knowledge_hash": hashes.knowledge_hash,
        "knowledge_size": rules.size_of(knowledge),
    }
    return to_json(payload).decode()
