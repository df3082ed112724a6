"""The end of a team (teams contract, section 4.3)."""

from __future__ import annotations

from services.teams.replays import operations as replays
from services.teams.teams import rules, store
from services.teams.teams.models import Content, Member, Team
from services.teams.teams.store.writing import Written
from shared.bus import Event, outbox
from shared.contracts.teams import TeamDeleted, TeamLeft
from shared.db import Connection


async def delete(connection: Connection, team: Team) -> None:
    """Delete a team for whoever was found to be its owner: only name and roles are kept.

    All machines leave it; invitations, versions, tasks and what sockets were told go. Says
    team.deleted, and team.left of each machine, upon which their sockets are told.

    Args:
        connection: in a transaction that holds the team's row.
        team: the row as it is.
    """
    members = tuple(Member(each.name, each.role) for each in rules.members_from(team.members))
    kept = Content(team.name, members)
    hashes = rules.hashes_of(kept)
    parts = rules.parts_of(team.id, kept, hashes)
    written = Written(None, parts.members, parts.skills, parts.platforms, parts.knowledge)
    tokens = await store.delete(connection, team.id, written, hashes)
    await replays.drop_of_team(connection, team.id)
    for token in tokens:
        await replays.drop_of_token(connection, token)
    events: list[Event] = [TeamDeleted(team_id=team.id)]
    events += [TeamLeft(team_id=team.id, token=token) for token in tokens]
    await outbox.add_all(connection, events)
