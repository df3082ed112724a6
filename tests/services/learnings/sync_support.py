"""What a syncing client does, in small."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.services.learnings.conftest import Tenant

KNOWN_STATUSES = {"active", "resolved", "obsolete", "obsolete_poisoned", "archived"}


@dataclass
class Puller:
    """A client as section 6.1 describes it: cursors, the stored tag, and what it holds.

    Attributes:
        rows: by the id in the feed; what a client cannot use is dropped, as clients do.
        seen: each number in the order of arrival.
    """

    tenant: Tenant
    client_id: str = "sync-claude-code-" + "f" * 16
    include_own: bool = False
    since: int = 0
    company_since: int = 0
    etag: str = ""
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[int] = field(default_factory=list)
    more: bool = False

    async def ask(self, **query: Any) -> httpx.Response:
        """Ask once, and change nothing."""
        fields: dict[str, Any] = {
            "since_seq": self.since,
            "since_company_seq": self.company_since,
            "client_id": self.client_id,
            "model_family": "claude",
            "trw_version": "v27.6_TRW",
        }
        if self.include_own:
            fields["include_own"] = 1
        headers = {"if-none-match": f'"{self.etag}"'} if self.etag else {}
        return await self.tenant.send(
            "GET", "/v1/intel/state", params=fields | query, headers=headers
        )

    async def pull(self) -> bool:
        """Pull one page; False where the answer was 304."""
        answer = await self.ask()
        if answer.status_code == 304:
            assert answer.content == b""
            return False
        assert answer.status_code == 200, answer.text
        self.take(answer.json())
        return True

    def take(self, body: dict[str, Any]) -> int:
        """Take one page in, as clients do; give its number of rows."""
        assert isinstance(body["sync_hints"], dict)
        self.etag = body["etag"]
        self.more = body["sync_hints"]["significant_updates_available"]
        for row in body["team_learnings"]:
            if row["metadata"].get("source") == "company_sync":
                self.rows["company:" + row["source_learning_id"]] = row
                continue
            assert row["sync_seq"] > self.since
            self.since = row["sync_seq"]
            self.seen.append(row["sync_seq"])
            assert isinstance(row["detail"], str)
            if row["tags"] is not None and row["status"] in KNOWN_STATUSES:
                self.rows[row["source_learning_id"]] = row
        self.company_since = max(self.company_since, body["next_company_seq"])
        return len(body["team_learnings"])

    async def pull_all(self) -> None:
        """Pull until nothing is new."""
        while await self.pull():
            pass


async def push(
    tenant: Tenant,
    *entries: Any,
    client_id: str = "sync-claude-code-" + "a" * 16,
    status: int = 200,
    **fields: Any,
) -> dict[str, Any]:
    """Push entries and give the answer's body."""
    body = {"entries": list(entries), "client_id": client_id, "push_seq": 1} | fields
    answer = await tenant.send("POST", "/v1/sync/learnings", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def entry(source_id: str, **fields: Any) -> dict[str, Any]:
    """An entry as a client of today sends it."""
    return {
        "source_learning_id": source_id,
        "summary": f"What {source_id} taught",
        "detail": f"The details of {source_id}",
        "impact": 0.6,
        "tags": ["sync"],
        "type": "pattern",
        "status": "active",
        "vector_clock": {"ab" * 8: 1},
        "metadata": {"origin_project": "git:" + "1" * 16},
        "sync_hash": hash_of(source_id, fields),
    } | fields


def hash_of(*content: Any) -> str:
    """A hash as clients make them: of anything, 64 hex digits."""
    from hashlib import sha256

    return sha256(repr(content).encode()).hexdigest()
