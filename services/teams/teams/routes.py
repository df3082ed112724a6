"""HTTP door of teams (teams contract, section 4)."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from services.teams.replays import operations as replays
from services.teams.replays.models import Signed
from services.teams.teams import operations
from services.teams.teams.models import Hashes
from shared.api import Answer, Call, Empty, Operation, Query, Reply
from shared.siblings import Siblings

LIMIT: Final = 256_000
"""Bytes of a body (section 2)."""


class TeamQuery(Query):
    """Which of several teams is meant."""

    team_id: str | None = None


class PageQuery(Query):
    """Part of a long list, for callers that ask for it."""

    limit: Annotated[int, Field(ge=1, le=500)] | None = None
    after: str | None = None


class HashesAnswer(Answer):
    """``GET /api/teams/{token}/head``: exactly these four."""

    hash: str
    members_hash: str
    skills_hash: str
    knowledge_hash: str

    @classmethod
    def of(cls, hashes: Hashes) -> HashesAnswer:
        """Write hashes."""
        return cls(
            hash=hashes.hash,
            members_hash=hashes.members_hash,
            skills_hash=hashes.skills_hash,
            knowledge_hash=hashes.knowledge_hash,
        )


@replays.changing("POST")
async def save(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/teams``."""
    return await operations.save(call.database, call.resource(Siblings), signed)


async def read(call: Call[Empty, TeamQuery]) -> Reply:
    """``GET /api/teams/{token}``."""
    token = replays.machine_of(call)
    team_id = operations.read_team_id(call.query.team_id)
    team = await operations.read_one(call.database, token, team_id)
    tag = operations.etag(team.id, team.revision)
    if operations.is_named(call.headers.get("if-none-match", ""), tag):
        return Reply(None, 304, {"etag": tag})
    return Reply(operations.team_bytes(team), headers={"etag": tag})


async def head(call: Call[Empty, TeamQuery]) -> Reply:
    """``GET /api/teams/{token}/head``."""
    token = replays.machine_of(call)
    team_id = operations.read_team_id(call.query.team_id)
    found = await operations.head(call.database, token, team_id)
    tag = operations.etag(found.id, found.revision)
    if operations.is_named(call.headers.get("if-none-match", ""), tag):
        return Reply(None, 304, {"etag": tag})
    return Reply(HashesAnswer.of(found.hashes), headers={"etag": tag})


async def read_all(call: Call[Empty, PageQuery]) -> Reply:
    """``GET /api/teams/all/{token}``."""
    token = replays.machine_of(call)
    after = operations.read_team_id(call.query.after)
    page = await operations.read_all(call.database, token, after, call.query.limit)
    return Reply(page.body, headers=operations.next_page(page.next_after))


def _row(method: str, path: str, endpoint: object, summary: str, **more: object) -> Operation:
    return Operation(
        method=method,
        path=path,
        endpoint=endpoint,  # type: ignore[arg-type]  # each is an endpoint
        summary=summary,
        authenticated=True,
        tag="Teams",
        **more,  # type: ignore[arg-type]  # each is a field of Operation
    )


OPERATIONS: Final = (
    _row(
        "POST",
        "/api/teams",
        save,
        "Make a team, or change one",
        answer=None,
        status=201,
        raw=True,
        body_limit=LIMIT,
        errors=(400, 403, 404, 409),
    ),
    _row("GET", "/api/teams/{token}", read, "Read a team", answer=None, query=TeamQuery),
    _row(
        "GET",
        "/api/teams/{token}/head",
        head,
        "Compare a team by its hashes",
        answer=HashesAnswer,
        query=TeamQuery,
    ),
    _row(
        "GET",
        "/api/teams/all/{token}",
        read_all,
        "Read all of a machine's teams",
        answer=None,
        query=PageQuery,
    ),
)
