"""Use cases of claiming a team."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from services.teams.claims import rules, store
from services.teams.claims.models import Candidate, Claimed, NewSecret
from services.teams.people import operations as people
from services.teams.replays import operations as replays
from services.teams.replays.models import Done, Signed
from shared.api import Reply
from shared.db import Connection, Database
from shared.errors import Conflict, Forbidden, NotFound
from shared.siblings import Siblings

AT_ONCE: Final = 2
"""Slow hashes under way; the rest wait their turn."""

UNLINKED: Final = "link your account first with `teamrc login`"
OWNED: Final = "team already has an owner"
INVALID: Final = "invalid or already-claimed ownership token"

_turn: Final = asyncio.Semaphore(AT_ONCE)


async def mint() -> NewSecret:
    """Make a secret, off the event loop."""
    async with _turn:
        return await asyncio.to_thread(rules.mint)


async def claim(database: Database, siblings: Siblings, signed: Signed) -> Reply:
    """Make the account behind a machine the owner of its team (``POST /api/teams/claim``).

    It costs one search by an index and one slow check, whatever is sent.

    Raises:
        BadRequest: there is no secret.
        Forbidden: the machine is linked to no account.
        Conflict: somebody else was faster.
        NotFound: the secret is none, or of a team that the machine is no member of.
        Unavailable: auth did not say whose machine it is.
    """
    secret = rules.read_secret(signed.body)
    owner = await people.owner_of(siblings, signed.token)
    if not owner.linked:
        raise Forbidden(UNLINKED)
    candidate = await _proven(database, signed.token, secret)
    work = partial(_claim, signed.token, owner.account_id, candidate)
    return await replays.once(database, signed, work)


async def _proven(database: Database, token: str, secret: str) -> Candidate | None:
    """Give the team that a secret proves. No connection is held during the slow check."""
    async with database.connection() as connection:
        candidate = await store.find(connection, token, rules.lookup(secret))
    async with _turn:
        holds = await asyncio.to_thread(
            rules.holds, None if candidate is None else candidate.hash, secret
        )
    return candidate if holds else None


async def _claim(
    token: str, account_id: str, candidate: Candidate | None, connection: Connection
) -> Done:
    if candidate is None or not await store.lock_member(connection, token, candidate.team_id):
        raise NotFound(INVALID)
    if not await store.set_owner(connection, candidate, account_id):
        raise Conflict(OWNED)
    # A second claim fails however soon it comes, also within the second that its signature names.
    return Done(Claimed().model_dump_json().encode(), is_repeated=False)
