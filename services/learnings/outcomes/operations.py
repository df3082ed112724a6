"""Noting what came of work that learnings were used in."""

from __future__ import annotations

import asyncio
from typing import Final

from services.learnings.installations.operations import Sightings, origin_of, seen
from services.learnings.outcomes import rules, store
from services.learnings.outcomes.models import (
    ID_PREFIX,
    Batch,
    Evidence,
    Outcome,
    OutcomePage,
    OutcomeQuery,
    Read,
    Score,
    TakenOutcomes,
)
from shared.db import Connection, Database
from shared.errors import Forbidden, NotFound
from shared.ids import new_id
from shared.pagination import TOTAL_CAP
from shared.principal import Principal

ASIDE: Final = 16_384
"""Bytes from which on a body is read beside the loop."""


async def take(
    database: Database, sightings: Sightings, principal: Principal, raw: bytes
) -> TakenOutcomes:
    """Store a batch of outcomes; what is known already, or is none, is skipped.

    Raises:
        Forbidden: the caller acts in no organization.
        BadRequest: the body is not JSON.
        Invalid: it has no list of outcomes.
        TooLarge: the list is too long.
    """
    if not principal.org:
        raise Forbidden("An organization is needed")
    batch = rules.read(raw) if len(raw) < ASIDE else await asyncio.to_thread(rules.read, raw)
    inserted = await _store(database, principal, batch) if batch.outcomes else 0
    sightings.note(seen(principal, client_id=batch.client_id, outcomes=inserted))
    return TakenOutcomes(inserted=inserted, skipped=batch.count - inserted, rejected=batch.rejected)


async def _store(database: Database, principal: Principal, batch: Batch) -> int:
    outcomes = list(batch.outcomes.values())
    for outcome in outcomes:
        outcome.id = new_id(ID_PREFIX)
    async with database.transaction() as connection:
        keys = await store.insert(connection, principal.org, batch.client_id, outcomes)
        new = [outcome for outcome in outcomes if outcome.key in keys]
        evidence = await _evidence(connection, principal, batch.client_id, new)
        if evidence:
            await store.add_evidence(connection, principal.org, evidence)
    return len(new)


async def _evidence(
    connection: Connection, principal: Principal, client_id: str, outcomes: list[Read]
) -> list[Evidence]:
    names = sorted({name for outcome in outcomes for name in outcome.learning_ids})
    if not names:
        return []
    origins = [origin for origin in (origin_of(client_id), principal.subject) if origin]
    shared = [name.removeprefix(rules.PULLED) for name in names]
    known = await store.resolve(connection, principal.org, origins, names, shared)
    evidence: dict[tuple[str, str], Evidence] = {}
    for outcome in outcomes:
        helped, not_helped = rules.weigh(outcome)
        for name in outcome.learning_ids:
            if name in known:
                place = (known[name], outcome.id)
                evidence[place] = Evidence(*place, helped, not_helped)
    return list(evidence.values())


async def page(database: Database, principal: Principal, query: OutcomeQuery) -> OutcomePage:
    """Give a page of outcomes, newest first; of one learning with its score.

    Raises:
        Forbidden: the caller acts in no organization.
        NotFound: no such learning in this organization.
    """
    if not principal.org:
        raise Forbidden("An organization is needed")
    score: Score | None = None
    async with database.connection() as connection:
        if query.learning_id is None:
            items = await store.list_all(connection, principal.org, query.page_size, query.offset)
            total = await store.count_all(connection, principal.org, TOTAL_CAP)
        else:
            score = await _score(connection, principal.org, query.learning_id)
            items, total = await _of_learning(connection, principal.org, query.learning_id, query)
    return OutcomePage(
        items=items, total=total, page=query.page, page_size=query.page_size, score=score
    )


async def _of_learning(
    connection: Connection, org_id: str, learning_id: str, query: OutcomeQuery
) -> tuple[list[Outcome], int]:
    items = await store.list_of(connection, org_id, learning_id, query.page_size, query.offset)
    return items, await store.count_of(connection, org_id, learning_id, TOTAL_CAP)


async def _score(connection: Connection, org_id: str, learning_id: str) -> Score:
    found = await store.score_of(connection, org_id, learning_id)
    if found is None:
        raise NotFound
    return Score(helped=found[0], not_helped=found[1], share=rules.share(*found))
