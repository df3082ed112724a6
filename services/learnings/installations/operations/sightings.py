"""Noting which clients were seen, without holding up what they asked for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from services.learnings.installations import rules, store
from services.learnings.installations.models import ID_PREFIX, Seen, Sighting
from shared.bus import outbox
from shared.contracts.learnings import InstallationSeen
from shared.db import Database
from shared.errors import Unavailable
from shared.ids import new_id
from shared.log import get_logger
from shared.principal import Kind, Principal

PERIOD: Final = 60.0
"""Seconds between two writes of one installation."""

TICK: Final = 5.0
"""Seconds after which the writer looks again what is due."""

FORGET: Final = 600.0
"""Seconds after which one that was not seen again is no longer remembered."""

MOST: Final = 50_000
"""Installations remembered at once; more than that are not noted until some are forgotten."""

MOST_OF_ONE: Final = 10_000
"""The same of one organization, so that it leaves room for the others."""

LONGEST: Final = 256
"""Characters of an installation's own id by which it is remembered."""

BATCH: Final = 500
TRIES: Final = 5
"""Times that a batch is tried which the database refuses."""

FAREWELL: Final = 5.0
"""Seconds that the last write may take."""

log = get_logger()

_Key = tuple[str, str, str]


@dataclass(slots=True)
class _Entry:
    """One installation as it shows itself; ``pending`` is what is not written yet."""

    pending: Seen | None = None
    written_at: float = float("-inf")
    failures: int = 0


class Sightings:
    """Takes sightings and writes them, many at once. Open it with ``opened``.

    The first sight of an installation is written within milliseconds, further ones at most once a
    minute. What a crash loses is a minute of counting.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[_Key, _Entry] = {}
        self._counts: Counter[str] = Counter()
        self._fresh: list[_Key] = []
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, database: Database) -> AsyncIterator[Sightings]:
        """Write what is noted until the context is left, and the rest then."""
        sightings = cls(database)
        task = asyncio.create_task(sightings._write_until_cancelled(), name="sightings")
        try:
            yield sightings
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await sightings._say_farewell()

    def note(self, sighting: Sighting) -> None:
        """Take one; returns at once, and never fails."""
        if not sighting.org_id or not (sighting.installation_id or sighting.key_id):
            return
        key = (sighting.org_id, sighting.installation_id[:LONGEST], sighting.key_id)
        entry = self._known.get(key) or self._remember(key)
        if entry is None:
            return
        now = datetime.now(UTC)
        if entry.pending is None:
            own = rules.own_id_of(sighting)
            if not own and not sighting.key_id:
                return
            entry.pending = rules.begin(sighting, new_id(ID_PREFIX), own, now)
        rules.add(entry.pending, sighting, now)

    def note_caller(self, principal: Principal) -> None:
        """Note that a key was used; a person is a client only where it says which."""
        if principal.kind is not Kind.API_KEY:
            return
        entry = self._known.get((principal.org, "", principal.subject))
        if entry is not None and entry.pending is not None:
            entry.pending.seen_at = datetime.now(UTC)
        else:
            self.note(Sighting(principal.org, key_id=principal.subject))

    async def settle(self) -> None:
        """Write what was seen for the first time, so that a list shows its own reader.

        What cannot be written is kept for later, and is no reason for the caller to fail.
        """
        try:
            await self._flush()
        except Unavailable:
            log.info("sightings postponed", reason="database unavailable")
        except Exception:
            log.exception("sightings failed")

    async def _flush(self) -> None:
        while self._fresh or self._writing.locked():
            async with self._writing:
                keys, self._fresh = self._fresh[:BATCH], self._fresh[BATCH:]
                await self._write(keys)

    def _remember(self, key: _Key) -> _Entry | None:
        if len(self._known) >= MOST or self._counts[key[0]] >= MOST_OF_ONE:
            return None
        self._counts[key[0]] += 1
        entry = self._known[key] = _Entry()
        self._fresh.append(key)
        self._wake.set()
        return entry

    async def _write_until_cancelled(self) -> None:
        loop = asyncio.get_running_loop()
        checked = loop.time()
        while True:
            try:
                async with asyncio.timeout(TICK):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._flush()
                if loop.time() - checked >= TICK:
                    checked = loop.time()
                    await self._write_all(self._due(checked))
            except Unavailable:
                log.info("sightings postponed", reason="database unavailable")
                await asyncio.sleep(1)
            except Exception:
                log.exception("sightings failed")
                await asyncio.sleep(1)

    def _due(self, now: float) -> list[_Key]:
        """Give what was seen again and not written for a minute; forget who stayed away."""
        due = []
        for key, entry in list(self._known.items()):
            if entry.pending is not None and entry.written_at <= now - PERIOD:
                due.append(key)
            elif entry.pending is None and entry.written_at <= now - FORGET:
                self._forget(key)
        return due

    def _forget(self, key: _Key) -> None:
        if self._known.pop(key, None) is not None:
            self._counts[key[0]] -= 1
            if not self._counts[key[0]]:
                del self._counts[key[0]]

    async def _write_all(self, keys: list[_Key]) -> None:
        for start in range(0, len(keys), BATCH):
            async with self._writing:
                await self._write(keys[start : start + BATCH])

    async def _write(self, keys: Iterable[_Key]) -> None:
        taken: list[tuple[_Key, _Entry, Seen]] = []
        for key in keys:
            entry = self._known.get(key)
            if entry is not None and entry.pending is not None:
                taken.append((key, entry, entry.pending))
                entry.pending = None
        if not taken:
            return
        try:
            await self._store([row for _, _, row in taken])
        except BaseException as error:
            is_refused = isinstance(error, Exception) and not isinstance(error, Unavailable)
            for key, entry, row in taken:
                self._take_back(key, entry, row, is_refused=is_refused)
            raise
        now = asyncio.get_running_loop().time()
        for _, entry, _ in taken:
            entry.written_at, entry.failures = now, 0

    def _take_back(self, key: _Key, entry: _Entry, row: Seen, *, is_refused: bool) -> None:
        entry.failures += is_refused
        if entry.failures >= TRIES:
            log.error("sighting dropped", org_id=row.org_id)
            self._forget(key)
            return
        entry.pending = row if entry.pending is None else rules.join(row, entry.pending)

    async def _store(self, seen: list[Seen]) -> None:
        rows: dict[tuple[str, str], Seen] = {}
        for row in sorted(seen, key=lambda row: row.seen_at):
            place = (row.org_id, row.identity)
            rows[place] = rules.join(replace(rows[place]), row) if place in rows else row
        # In one order everywhere, so that two processes never wait for each other.
        ordered = [rows[place] for place in sorted(rows)]
        own = [row for row in ordered if row.installation_id is not None]
        keys = [row for row in ordered if row.installation_id is None]
        async with self._database.transaction() as connection:
            made = []
            if own:
                await store.adopt(connection, own)
                made += await store.upsert(connection, own)
            if keys:
                made += await store.upsert(connection, keys)
            events = [
                InstallationSeen(org_id=new.org_id, installation_id=new.id, project=new.project)
                for new in made
            ]
            await outbox.add_all(connection, events)

    async def _say_farewell(self) -> None:
        pending = [key for key, entry in self._known.items() if entry.pending is not None]
        try:
            async with asyncio.timeout(FAREWELL):
                await self._write_all(pending)
        except (TimeoutError, Unavailable):
            log.warning("sightings lost", count=len(pending))
        except Exception:
            log.exception("sightings lost", count=len(pending))
