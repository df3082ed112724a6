"""Small models of the clients that exist, as sections 2.2, 6 and 7 of the learnings contract tell.

``SyncLoop`` is the 9.x client, ``Publisher`` the one of 0.62, ``Sdk`` the library. Each does what
its original does with an answer, so that an answer that would break one breaks a test.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.services.learnings.stream_support import Reading, reading
from tests.services.learnings.sync_support import KNOWN_STATUSES

BATCH = 100
MOST_WAITS = 4
LONGEST_WAIT = 10


@dataclass
class SyncLoop:
    """Pushes what is dirty and pulls what is new.

    Attributes:
        dirty: entries to push, oldest first.
        quarantine: by id, entries that the server named, with its words.
        store: pulled rows by local id.
    """

    http: httpx.AsyncClient
    key: str
    client_id: str
    dirty: list[dict[str, Any]] = field(default_factory=list)
    quarantine: dict[str, str] = field(default_factory=dict)
    store: dict[str, dict[str, Any]] = field(default_factory=dict)
    since: int = 0
    company_since: int = 0
    etag: str = ""
    push_seq: int = 0
    failures: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """How the client introduces itself."""
        return {"authorization": f"Bearer {self.key}"}

    async def push(self) -> None:
        """Push until nothing is dirty or nothing moves."""
        while self.dirty:
            before = len(self.dirty)
            await self._push_one(self.dirty[:BATCH])
            if len(self.dirty) == before:
                return

    async def _push_one(self, batch: list[dict[str, Any]]) -> None:
        self.push_seq += 1
        body = {"entries": batch, "client_id": self.client_id, "push_seq": self.push_seq}
        answer = await self.http.post("/v1/sync/learnings", json=body, headers=self.headers)
        if answer.status_code == 422:
            self._set_aside(batch, answer.json()["detail"])
            return
        if answer.status_code >= 400:
            self.failures += 1
            return
        verdict = answer.json()
        if verdict.get("errors", 0) > 0:
            self.failures += 1
            return
        names = ("inserted", "updated", "skipped", "errors")
        acknowledged = sum(verdict.get(name, 0) for name in names)
        del self.dirty[:acknowledged]

    def _set_aside(self, batch: list[dict[str, Any]], detail: list[dict[str, Any]]) -> None:
        """Quarantine exactly the entries that the answer names; the rest stays dirty."""
        named: dict[int, str] = {}
        for fault in detail:
            loc = fault["loc"]
            if loc[:2] != ["body", "entries"] or len(loc) < 3:
                self.failures += 1
                return
            named[loc[2]] = fault["msg"]
        for index, words in named.items():
            self.quarantine[str(batch[index].get("source_learning_id"))] = words
        rest = [one for index, one in enumerate(batch) if index not in named]
        self.dirty[: len(batch)] = rest

    async def pull(self) -> None:
        """Pull; at once again where more waits, but never two in a row; and until nothing is new.

        The tag of page 1 goes along with the question for page 2.
        """
        while await self._pull_one():
            pass

    async def _pull_one(self) -> bool:
        headers = self.headers | ({"if-none-match": f'"{self.etag}"'} if self.etag else {})
        query: dict[str, str | int] = {
            "since_seq": self.since,
            "since_company_seq": self.company_since,
            "client_id": self.client_id,
            "model_family": "claude",
            "trw_version": "v27.6_TRW",
        }
        answer = await self.http.get("/v1/intel/state", params=query, headers=headers)
        if answer.status_code == 304:
            return False
        body = answer.json() if answer.status_code == 200 else {}
        if not (
            str(body.get("etag", "")).strip()
            and isinstance(body.get("sync_hints"), dict)
            and isinstance(body.get("team_learnings"), list)
        ):
            self.failures += 1
            return False
        self.etag = body["etag"]
        for row in body["team_learnings"]:
            self._take(row)
        self.company_since = body.get("next_company_seq", self.company_since)
        return True

    def _take(self, row: dict[str, Any]) -> None:
        if row["metadata"].get("source") != "company_sync":
            self.since = max(self.since, row["sync_seq"])
        if row.get("tags") is None or row.get("status") not in KNOWN_STATUSES:
            return  # dropped, and the cursor has moved: lost
        name = f"team-sync-{row['source_learning_id']}"
        held = self.store.get(name)
        if held is None or dominates(row["vector_clock"], held["vector_clock"]):
            self.store[name] = row


def dominates(new: dict[str, int], old: dict[str, int]) -> bool:
    """Tell whether a vector clock is causally after another; the same one again is not."""
    return new != old and all(new.get(node, 0) >= count for node, count in old.items())


@dataclass
class Publisher:
    """The client of 0.62: one request per learning, patient with 429; reads only the status."""

    http: httpx.AsyncClient
    key: str
    waits: list[int] = field(default_factory=list)

    async def publish(self, learning: dict[str, Any]) -> bool:
        """Publish, with at most four attempts."""
        for attempt in range(MOST_WAITS):
            answer = await self.http.post(
                "/v1/learnings", json=learning, headers={"authorization": f"Bearer {self.key}"}
            )
            if 200 <= answer.status_code < 300:
                return True
            if answer.status_code != 429:
                return False
            wait = min(int(answer.headers.get("retry-after", 2**attempt)), LONGEST_WAIT)
            self.waits.append(wait)
            await asyncio.sleep(wait)
        return False


@dataclass
class Sdk:
    """The library: publishes, patches by ``remote_id``, searches, follows the stream."""

    http: httpx.AsyncClient
    key: str
    remote_ids: dict[str, str] = field(default_factory=dict)
    last_id: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """How the library introduces itself."""
        return {"authorization": f"Bearer {self.key}"}

    async def publish(self, local_id: str, summary: str, **fields: Any) -> None:
        """Publish a memory and keep the id that came back."""
        body = {"summary": summary, "impact": 0.7, "source_learning_id": local_id} | fields
        answer = await self.http.post("/v1/learnings", json=body, headers=self.headers)
        assert answer.status_code in (200, 201), answer.text
        self.remote_ids[local_id] = str(answer.json()["id"])

    async def retire(self, local_id: str) -> None:
        """Patch the status at the path that the library uses."""
        path = f"/v1/learnings/{self.remote_ids[local_id]}/status"
        answer = await self.http.patch(path, json={"status": "obsolete"}, headers=self.headers)
        assert answer.status_code == 200, answer.text

    async def search(self, query: str) -> list[dict[str, Any]]:
        """Search, and drop hits that are one's own."""
        body = {"query": query, "limit": 10, "min_impact": 0.7}
        answer = await self.http.post("/v1/learnings/search", json=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        hits: list[dict[str, Any]] = answer.json()["results"]
        return [hit for hit in hits if hit["source_learning_id"] not in self.remote_ids]

    async def follow(self, count: int) -> Reading:
        """Follow until so many more events have come, then hang up and keep the last id."""
        async with reading(self.http, self.headers, self.last_id) as found:
            await found.until(count)
        self.events += found.events
        self.last_id = found.events[-1]["id"]
        return found
