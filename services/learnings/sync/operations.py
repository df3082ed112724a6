"""Taking pushes in (learnings contract, section 6.2)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from services.learnings.learnings.models import Author, Likeness, Verdict
from services.learnings.learnings.operations import origin_of_client, record_batch
from services.learnings.sync import rules
from services.learnings.sync.models import Batch, Pushed, Result
from shared.db import Database
from shared.errors import Forbidden, Invalid
from shared.principal import Principal

_LARGE: Final = 100_000
"""Bytes of body from which on reading it would hold up others' requests."""

_readers: Final = asyncio.Semaphore(4)


def author_of(principal: Principal) -> Author:
    """Say whose writing a push is.

    Raises:
        Forbidden: the caller acts in no organization.
    """
    if not principal.org:
        raise Forbidden("An organization is needed")
    return Author(principal.org, principal.subject, principal.account)


async def read(author: Author, raw: bytes) -> Batch:
    """Understand a body.

    Raises:
        BadRequest: it is no JSON.
        Invalid: it is no push, or entries of it are unusable: exactly these are named.
    """
    if len(raw) < _LARGE:
        batch = _read(author, raw)
    else:
        async with _readers:
            batch = await asyncio.to_thread(_read, author, raw)
    if batch.faults:
        raise Invalid(batch.faults)
    return batch


def _read(author: Author, raw: bytes) -> Batch:
    def origin_of(client_id: str) -> str:
        # A client without a name is known by its key, or by its person.
        return origin_of_client(client_id) if client_id else author.subject

    return rules.read(rules.parse(raw), origin_of)


async def push(
    database: Database, author: Author, batch: Batch, likeness: Likeness, key_quota: int
) -> Pushed:
    """Record a batch in one transaction; sent again, it changes nothing."""
    verdicts: list[Verdict] = []
    if batch.entries:
        async with database.transaction() as connection:
            verdicts = await record_batch(
                connection, author, batch.entries, likeness, key_quota=key_quota
            )
    counts = Counter(verdict.status for verdict in verdicts)
    return Pushed(
        inserted=counts["inserted"],
        updated=counts["updated"],
        skipped=counts["skipped"],
        results=[
            Result(
                index=index,
                status=verdict.status,
                id=verdict.id,
                reason=verdict.reason or batch.notes.get(index),
            )
            for index, verdict in enumerate(verdicts)
        ],
    )
