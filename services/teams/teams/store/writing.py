"""SQL: making a team and changing its content, each in one statement with its events."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.teams.teams.models import Actor, Hashes, NewTeam
from shared.bus import Event, outbox
from shared.db import Connection


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """Content as it is stored; None leaves a part as it is."""

    name: str | None
    members: str | None
    skills: str | None
    platforms: str | None
    knowledge: str | None


_INSERT: Final = """
    WITH made AS (
        INSERT INTO teams.team (id, name, members, skills, platforms, knowledge, hash,
            members_hash, skills_hash, knowledge_hash, members_part, skills_part, knowledge_part,
            version, owner, org_id, claim_lookup, claim_hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $15, $16, $17)
        RETURNING *
    ), parts AS (
        INSERT INTO teams.part (team_id, digest, body)
        SELECT DISTINCT ON (digest) made.id, digest, body
          FROM made, unnest($18::bytea[], $19::text[]) AS p (digest, body)
    ), first AS (
        INSERT INTO teams.version (team_id, number, name, platforms, members_part, skills_part,
                                   knowledge_part, hash, actor, summary)
        SELECT id, 1, name, platforms, members_part, skills_part, knowledge_part, hash, $20, $21
          FROM made
    )
    SELECT true FROM made
"""

_WRITE: Final = """
    WITH changed AS (
        UPDATE teams.team AS t
           SET name = coalesce($2, name), members = coalesce($3::json, members),
               skills = coalesce($4::json, skills), platforms = coalesce($5::json, platforms),
               knowledge = coalesce($6, knowledge), hash = $7, members_hash = $8,
               skills_hash = $9, knowledge_hash = $10,
               members_part = coalesce($11, members_part),
               skills_part = coalesce($12, skills_part),
               knowledge_part = coalesce($13, knowledge_part),
               version = version + 1, revision = revision + 1, updated_at = now(),
               news_number = news_number + CASE WHEN $6 IS NULL THEN 0 ELSE 1 END
         WHERE id = $1
        RETURNING *
    ), parts AS (
        INSERT INTO teams.part (team_id, digest, body)
        SELECT DISTINCT ON (digest) $1::uuid, digest, body
          FROM unnest($14::bytea[], $15::text[]) AS p (digest, body)
        ON CONFLICT DO NOTHING
    ), newest AS (
        INSERT INTO teams.version (team_id, number, name, platforms, members_part, skills_part,
                                   knowledge_part, hash, actor, summary)
        SELECT id, version, name, platforms, members_part, skills_part, knowledge_part, hash,
               $16, $17
          FROM changed
    ), told AS (
        INSERT INTO teams.news (team_id, number, topic, event, payload, part, source)
        SELECT id, news_number, 'knowledge', 'knowledge:updated', $18, knowledge_part, $19
          FROM changed WHERE $18::text IS NOT NULL
    )
    {said}
    SELECT true FROM changed
"""
"""One round trip with its events: everybody else who writes to the team waits meanwhile."""

_FIRST_FREE: Final = 20
"""The number of its first parameter that events may have."""


async def insert(
    connection: Connection,
    team_id: str,
    team: NewTeam,
    written: Written,
    hashes: Hashes,
    summary: str,
) -> None:
    """Make a team with its first version."""
    digests, bodies = parts_of(written)
    await connection.fetchval(
        _INSERT,
        team_id,
        written.name,
        written.members,
        written.skills,
        written.platforms,
        written.knowledge,
        hashes.hash,
        hashes.members_hash,
        hashes.skills_hash,
        hashes.knowledge_hash,
        *digests,
        team.owner,
        team.org_id,
        team.claim_lookup,
        team.claim_hash,
        digests,
        bodies,
        team.actor.name,
        summary,
    )


async def write(
    connection: Connection,
    team_id: str,
    written: Written,
    hashes: Hashes,
    actor: Actor,
    summary: str,
    news: str | None,
    events: Sequence[Event],
) -> None:
    """Write a team's new content, its version, what sockets are told, and its events.

    Args:
        connection: in a transaction that holds the team's row.
        team_id: the team.
        written: the parts that change.
        hashes: of the whole content as it will be.
        actor: who changes it.
        summary: of the version.
        news: the payload for sockets, without the text; given if and only if knowledge changes.
        events: said with it.
    """
    digests, bodies = parts_of(written)
    said = ""
    values: list[Any] = []
    for index, event in enumerate(events):
        sql, parameters = outbox.part(event, _FIRST_FREE + len(values), "changed")
        said += f", said_{index} AS ({sql})"
        values += parameters
    await connection.fetchval(
        _WRITE.format(said=said),
        team_id,
        written.name,
        written.members,
        written.skills,
        written.platforms,
        written.knowledge,
        hashes.hash,
        hashes.members_hash,
        hashes.skills_hash,
        hashes.knowledge_hash,
        *digests,
        [digest for digest in digests if digest is not None],
        [body for body in bodies if body is not None],
        actor.name,
        summary,
        news,
        actor.source,
        *values,
    )


def parts_of(written: Written) -> tuple[list[Any], list[Any]]:
    """Give the digests and the bodies of members, skills and knowledge; None for what stays."""
    bodies = [written.members, written.skills, written.knowledge]
    digests = [None if body is None else hashlib.sha256(body.encode()).digest() for body in bodies]
    return digests, bodies


async def add_member(
    connection: Connection, token: str, team_id: str, invite_id: str | None
) -> bool:
    """Make a machine a member; False if it is one already."""
    added = await connection.fetchval(
        """
        INSERT INTO teams.membership (token, team_id, invite_id) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        token,
        team_id,
        invite_id,
    )
    return bool(added)
