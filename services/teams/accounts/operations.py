"""Use cases of accounts: their teams listed, counted, exported, moved to a machine, ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from pydantic_core import from_json, to_json

from services.teams.accounts import rules, store
from services.teams.accounts.models import (
    AccountTeam,
    ExportQuestion,
    Overview,
    Place,
    Reassociated,
    TeamsMachine,
)
from services.teams.erasures import operations as erasures
from services.teams.machines import operations as machines
from services.teams.memberships import operations as memberships
from services.teams.people import operations as people
from services.teams.people.models import PersonsMachine
from services.teams.replays import operations as replays
from services.teams.replays.models import Done, Signed
from services.teams.teams import operations as teams
from services.teams.teams.models import Team
from shared.api import Reply
from shared.db import Connection, Database
from shared.errors import BadRequest, Forbidden, Unauthenticated
from shared.origins import check_origin
from shared.principal import Kind, Principal
from shared.siblings import Siblings

CHUNK: Final = 200
"""Teams that are looked at together."""

PAGE_BYTES: Final = 2_000_000
"""Content after which a page of an export ends; it may have one team more."""

NOT_LINKED: Final = "new_token must be a non-revoked token linked to your account"
STRANGER: Final = "token must be a non-revoked token linked to your account"
NO_SESSION: Final = "authentication required"


async def reader_of(siblings: Siblings, principal: Principal, headers: Mapping[str, str]) -> str:
    """Give the account that reads over an account route: by bearer token, else by cookie.

    Raises:
        Unauthenticated: nobody is signed in.
        Unavailable: auth did not say who is.
    """
    if principal.kind is Kind.USER:
        return principal.account
    if principal.is_anonymous:
        found = await people.browser(siblings, headers.get("cookie", ""))
        if found is not None:
            return found.account_id
    raise Unauthenticated(NO_SESSION, code="no_session")


async def changer_of(siblings: Siblings, headers: Mapping[str, str], public_url: str) -> str:
    """Give the account of the person behind a request that a machine has signed.

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: a browser sent its cookie along with a request of another site.
        Unavailable: auth did not say who is signed in.
    """
    person = await people.person(
        siblings, headers.get("authorization", ""), headers.get("cookie", "")
    )
    if person is None:
        raise Unauthenticated(NO_SESSION, code="no_session")
    if person.by_cookie:
        check_origin(headers, public_url)
    return person.account_id


async def list_teams(
    database: Database,
    siblings: Siblings,
    account_id: str,
    after: str | None,
    limit: int | None,
) -> tuple[list[AccountTeam], str | None]:
    """List an account's teams by id, all of them unless a limit is set.

    Beside them, after which id the next page begins; None at the end.

    Raises:
        Unavailable: auth did not say which machines and whose machines they are.
    """
    mine = {one.token: one for one in await people.machines_of(siblings, account_id)}
    found: list[AccountTeam] = []
    while True:
        most = CHUNK if limit is None else min(CHUNK, limit - len(found))
        async with database.connection() as connection:
            page = await store.list_of(connection, account_id, list(mine), after, most + 1)
            more, page = len(page) > most, page[:most]
            places = await store.places_in(connection, [team.id for team in page])
        digests = await _participants(siblings, places)
        by_team = _by_team(places)
        found += [_shown(team, by_team[team.id], digests, mine) for team in page]
        after = found[-1].id if found else None
        if not more or len(found) == limit:
            return found, after if more else None


def _by_team(places: Iterable[Place]) -> dict[str, list[Place]]:
    by_team: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        by_team[place.team_id].append(place)
    return by_team


async def _participants(siblings: Siblings, places: Iterable[Place]) -> dict[str, str]:
    return await people.participants(siblings, sorted({place.token for place in places}))


def _shown(
    team: Overview,
    places: Sequence[Place],
    digests: Mapping[str, str],
    mine: Mapping[str, PersonsMachine],
) -> AccountTeam:
    return AccountTeam(
        id=team.id,
        name=team.name,
        agent_count=team.agent_count,
        skill_count=team.skill_count,
        platforms=from_json(team.platforms),
        participants=rules.participants_of(places, digests),
        machines=[
            TeamsMachine(
                token=rules.shown_token(place.token),
                name=mine[place.token].machine_name,
                scope=place.scope,
                project_name=place.project_name,
                last_seen_at=mine[place.token].last_seen_at,
            )
            for place in places
            if place.token in mine
        ],
    )


async def reassociate(
    database: Database, siblings: Siblings, signed: Signed, account_id: str
) -> Reply:
    """Make a machine of a person's a member of the teams of their other machines.

    Whichever of the person's machines signs, the new one or another, the signature shows that
    whoever holds the session holds a key of theirs, too. Says team.joined.

    Raises:
        BadRequest: the new machine is none of the person's.
        Forbidden: the one that signs is none of the person's.
        Unavailable: auth did not say which machines are.
    """
    mine = {one.token: one for one in await people.machines_of(siblings, account_id)}
    new = signed.body.get("new_token")
    if not isinstance(new, str) or new not in mine:
        raise BadRequest(NOT_LINKED)
    if signed.token not in mine:
        raise Forbidden(STRANGER)
    others = [token for token in mine if token != new]
    return await replays.once(database, signed, partial(_reassociate, mine[new], others))


async def _reassociate(new: PersonsMachine, others: Sequence[str], connection: Connection) -> Done:
    await machines.lock(connection, new.token, new.version)
    joined = await memberships.copy(connection, others, new.token)
    return Done(Reassociated(reassociated=joined).model_dump_json().encode())


async def count_teams(database: Database, tokens: Sequence[str]) -> int:
    """Count the teams of some machines, each once."""
    async with database.connection() as connection:
        return await store.count_of(connection, tokens)


async def drop(database: Database, tokens: Sequence[str], without_owner: str) -> int:
    """End all memberships of some machines; give how many that were. Says team.left.

    Args:
        database: of teams.
        tokens: the machines'.
        without_owner: an account that is to own no team any more, if one is named.
    """
    async with database.transaction() as connection:
        left = await memberships.leave_all(connection, sorted(set(tokens)))
        if without_owner:
            await erasures.clear_owner(connection, without_owner)
    return left


async def export(database: Database, siblings: Siblings, asked: ExportQuestion) -> bytes:
    """Give a page of an account's teams with all that they hold, as JSON.

    Raises:
        Unavailable: auth did not say whose machines the members are.
    """
    names = {machine.token: machine.machine_name for machine in asked.machines}
    async with database.connection() as connection:
        found, next_after = await _page(connection, asked, list(names))
        places = await store.places_in(connection, [team.id for team in found])
    digests = await _participants(siblings, places)
    by_team = _by_team(places)
    told = [rules.exported(team, by_team[team.id], digests, names) for team in found]
    return b'{"teams":[%b],"next_after":%b}' % (b",".join(told), to_json(next_after))


async def _page(
    connection: Connection, asked: ExportQuestion, tokens: Sequence[str]
) -> tuple[list[Team], str | None]:
    after, size = teams.read_team_id(asked.after), 0
    found: list[Team] = []
    listed = await store.list_of(connection, asked.account_id, tokens, after, CHUNK)
    for one in listed:
        # One by one: each may have a megabyte.
        team = await teams.find_by_id(connection, one.id)
        if team is None:
            continue
        found.append(team)
        size += len(team.members) + len(team.skills) + len(team.knowledge)
        if size >= PAGE_BYTES:
            return found, one.id
    return found, listed[-1].id if len(listed) == CHUNK else None
