"""Taking telemetry in, and making figures of it (learnings contract, section 5.2)."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from pydantic_core import from_json

from services.learnings.installations.operations import Sightings, seen
from services.learnings.redaction.operations import redact_json
from services.learnings.telemetry.models import (
    LONGEST_WORD,
    Prepared,
    Source,
    Summary,
    SummaryQuery,
    Taken,
)
from services.learnings.telemetry.rules import events as shapes
from services.learnings.telemetry.rules import figures, reading, repeats
from services.learnings.telemetry.store import days, taking
from services.learnings.telemetry.store import figures as sums
from shared.db import Connection, Database
from shared.errors import Forbidden, Unavailable
from shared.log import get_logger
from shared.principal import Kind, Principal
from shared.service import Resources, Sweep

INLINE: Final = 80 * 1024
"""Bytes of body that are read on the event loop; reading more would hold up others."""

AT_ONCE: Final = 2
"""Large bodies that are read at the same time."""

FOLD_SECONDS: Final = 5.0
"""Seconds between two makings of figures."""

FOLD_REQUESTS: Final = 2_000
"""Requests whose events are added to the figures in one transaction."""

DAYS_AHEAD: Final = 3
SEEN_DAYS: Final = 2
"""Days of receipt for which it is remembered what was received: today and yesterday."""

log = get_logger()


class Reader:
    """Reads bodies: small ones at once, large ones beside the loop, a few at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def prepared(self, raw: bytes, source: Source) -> Prepared:
        """Bring a request's events into one form; for what is raised see ``rules.reading``."""
        if len(raw) <= INLINE:
            return reading.prepared(raw, source, clean)
        async with self._turn:
            return await asyncio.to_thread(reading.prepared, raw, source, clean)


async def take(
    database: Database, reader: Reader, sightings: Sightings, principal: Principal, raw: bytes
) -> Taken:
    """Store a request's events, those not received before; tell what became of each.

    Raises:
        Forbidden: the caller acts in no organization.
        BadRequest, Invalid, TooLarge: the body is none, see ``rules.reading``.
    """
    source = source_of(principal)
    found = await reader.prepared(raw, source)
    stored = 0
    if found.events:
        names = {event.row[shapes.INSTALLATION] for event in found.events}
        locks = repeats.locks(source.org_id, names)
        async with database.statement() as connection:
            stored = await taking.take(connection, source.org_id, locks, found.events)
    _note(sightings, principal, source, found)
    accepted = len(found.events) + found.repeated
    return Taken(accepted=accepted, duplicates=accepted - stored, rejected=list(found.rejected))


def source_of(principal: Principal) -> Source:
    """Say who sends, and what events without an installation belong to.

    Raises:
        Forbidden: the caller acts in no organization.
    """
    if not principal.org:
        raise Forbidden("An organization is needed")
    # People are not installations, and nothing is to be forgotten with them.
    fallback = principal.subject if principal.kind is Kind.API_KEY else "person"
    return Source(principal.org, fallback, datetime.now(UTC))


def _note(sightings: Sightings, principal: Principal, source: Source, found: Prepared) -> None:
    """Note each installation, with what its last event tells of it."""
    counts = Counter([event.row[shapes.INSTALLATION] for event in found.events])
    last = {event.row[shapes.INSTALLATION]: event.row for event in found.events}
    for name, row in last.items():
        if name == "person":
            continue
        own = "" if name == source.fallback else name
        sightings.note(
            seen(
                principal,
                installation_id=own,
                framework_version=row[shapes.FRAMEWORK] or "",
                python_version=row[shapes.PYTHON] or "",
                os_platform=row[shapes.PLATFORM] or "",
                events=counts[name],
            )
        )


_SAFE: Final = re.compile(
    r"(?=[0-9-]*[a-f])[0-9a-f-]{6,64}"
    r"|(?:evt|ses|session|run|tc|call|toolu|agent|msg|span|trace|req)[_-][0-9A-Za-z]{4,64}"
)
"""Hashes and ids as clients make them: unlike words they differ in each event, and hold nothing
that is to be taken out."""


def clean(name: str, value: Any) -> Any:
    """Redact the value of a named field; most are numbers, known words, hashes or ids."""
    if isinstance(value, str):
        if _SAFE.fullmatch(value) and _is_plain(name):
            return value
        if len(value) <= LONGEST_WORD:
            return _clean_word(name, value)
    elif not isinstance(value, dict | list):
        return value
    return redact_json({name: value})[name]


@lru_cache(maxsize=16_384)
def _clean_word(name: str, value: str) -> Any:
    return redact_json({name: value})[name]


@lru_cache(maxsize=4_096)
def _is_plain(name: str) -> bool:
    """Tell whether a field is one whose name alone says nothing of its value."""
    return bool(redact_json({name: "word"})[name] == "word")


async def summary(database: Database, principal: Principal, query: SummaryQuery) -> Summary:
    """Give the figures of today and the days before it.

    Raises:
        Forbidden: the caller acts in no organization.
    """
    source = source_of(principal)
    last = source.received.date()
    first = last - timedelta(days=query.days - 1)
    async with database.connection() as connection:
        found = await sums.summary(
            connection, source.org_id, first, last, query.tool, query.installation_id or ""
        )
    return figures.summary_of(from_json(found), first, last)


async def fold(database: Database, most: int = FOLD_REQUESTS) -> int:
    """Add what arrived to the figures, once; give how many requests' events that were."""
    async with database.transaction() as connection:
        return await sums.fold(connection, most)


async def keep_days(database: Database, telemetry_days: int) -> None:
    """Make the partitions of the coming days and drop those that are over."""
    today = datetime.now(UTC).date()
    first_kept = today - timedelta(days=telemetry_days - 1)
    async with database.transaction() as connection:
        await days.make(connection, today, today + timedelta(days=DAYS_AHEAD))
    while await fold(database):
        pass  # what is dropped must be in the figures first
    async with database.transaction() as connection:
        await days.drop(connection, "telemetry_event", first_kept)
    async with database.transaction() as connection:
        await days.drop(connection, "telemetry_seen", today - timedelta(days=SEEN_DAYS - 1))
    async with database.statement() as connection:
        await days.drop_sessions(connection, first_kept)


def sweep(telemetry_days: int) -> Sweep:
    """Give the hourly upkeep of days, for ``app.py``."""

    async def upkeep(database: Database) -> None:
        await keep_days(database, telemetry_days)

    return upkeep


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Forget all that an organization's clients told, in the caller's transaction."""
    await days.delete_organization(connection, org_id)


@asynccontextmanager
async def keeping(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Make figures of what arrives until the context is left."""
    folder = asyncio.create_task(_fold_always(database), name="telemetry figures")
    try:
        yield
    finally:
        folder.cancel()
        await asyncio.gather(folder, return_exceptions=True)


async def _fold_always(database: Database) -> None:
    while True:
        try:
            while await fold(database):
                pass
        except Unavailable:
            log.info("figures postponed", reason="database unavailable")
        except Exception:
            log.exception("figures failed")
        await asyncio.sleep(FOLD_SECONDS)
