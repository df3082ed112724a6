"""What a team is told as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.teams.teams import rules, store
from services.teams.teams.models import Content, Hashes, Head, Team, TeamParts
from services.teams.teams.operations.resolving import MANY, find
from shared.db import Connection, Database
from shared.errors import Conflict, NotFound

MOST_LISTED: Final = 500
EVERY: Final = 1_000_000


@dataclass(frozen=True, slots=True, repr=False)
class TeamContent:
    """A team's content, read: for those who look into it.

    Attributes:
        id: of the team.
        content: what it consists of.
        hashes: of it.
        revision: rises with every change.
    """

    id: str
    content: Content
    hashes: Hashes
    revision: int


@dataclass(frozen=True, slots=True, repr=False)
class Page:
    """Ready JSON, and after which id the next page begins; None at the end."""

    body: bytes
    next_after: str | None


def team_bytes(team: TeamParts, **more: bytes) -> bytes:
    """Give the JSON of an answer with a whole team in it, and further ready values."""
    rest = b"".join(b',"%b":%b' % (name.encode(), value) for name, value in more.items())
    return b'{"team":%b%b}' % (rules.team_data(team), rest)


def content_of(team: Team) -> Content:
    """Read a team's content from its stored form."""
    return rules.content_of(team)


async def read_one(database: Database, token: str, team_id: str | None) -> Team:
    """Give the team that a machine means.

    Raises:
        NotFound: there is none.
        Conflict: there are several.
    """
    async with database.connection() as connection:
        team = await find(connection, token, team_id)
    if team is None:
        raise NotFound
    return team


async def read_content(database: Database, token: str, team_id: str | None) -> TeamContent:
    """Give the content of the team that a machine means; raises as ``read_one``."""
    team = await read_one(database, token, team_id)
    return TeamContent(team.id, content_of(team), team.hashes, team.revision)


async def head(database: Database, token: str, team_id: str | None) -> Head:
    """Give the hashes of the team that a machine means; raises as ``read_one``."""
    async with database.connection() as connection:
        found, many = await store.find_head(connection, token, team_id)
    if many > 1:
        raise Conflict(MANY)
    if found is None:
        raise NotFound
    return found


def etag(team_id: str, revision: int) -> str:
    """Give the strong validator of a team: it covers all that readers see (section 12)."""
    return f'"{team_id[:8]}-{revision}"'


def is_named(if_none_match: str, tag: str) -> bool:
    """Tell whether an ``If-None-Match`` names a validator, weakly (RFC 9110, section 13.1.2)."""
    sent = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag in sent or sent == ["*"]


async def read_all(database: Database, token: str, after: str | None, limit: int | None) -> Page:
    """Give a machine's teams, all of them unless a limit is set.

    Args:
        database: to read from.
        token: the machine's.
        after: the id after which to begin.
        limit: 1 to 500.

    Raises:
        NotFound: there is none at all.
    """
    most = EVERY if limit is None else limit + 1
    async with database.connection() as connection:
        teams = await store.list_of(connection, token, after, most)
    if not teams and after is None:
        raise NotFound
    more = limit is not None and len(teams) > limit
    shown = teams[:limit] if more else teams
    body = b",".join(rules.team_data(team) for team in shown)
    return Page(b'{"teams":[%b]}' % body, shown[-1].id if more else None)


def next_page(after: str | int | None) -> dict[str, str]:
    """Give the header that says where the next page of a list begins; none at its end."""
    return {} if after is None else {"x-next-after": str(after)}


async def again(connection: Connection, team_id: str) -> bytes:
    """Give the answer of a repeated request: the team as it stands."""
    team = await store.find_by_id(connection, team_id)
    if team is None:
        raise NotFound
    return team_bytes(team)
