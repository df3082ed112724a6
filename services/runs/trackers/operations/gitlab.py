"""GitLab's REST API, version 4, of gitlab.com or of a server of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

from services.runs.trackers import rules
from services.runs.trackers.models import Account, Message, Ticket
from services.runs.trackers.operations.asking import GONE, Api, listed, web_address
from shared.fetch import Fetcher

MOST: Final = 100
"""Issues or notes of one page; GitLab gives no more."""


class GitLab:
    """One project; see ``Tracker``."""

    def __init__(self, fetcher: Fetcher, account: Account) -> None:
        headers = {"private-token": account.secret}
        self._api = Api(fetcher, "gitlab", f"{account.base}/api/v4", headers)
        # A path may be given as it is or already quoted.
        self._issues = f"/projects/{quote(unquote(account.project), safe='')}/issues"

    async def read(self, key: str) -> Ticket | None:
        """See ``Tracker``."""
        answer = await self._api.get(f"{self._issues}/{quote(key)}", *GONE)
        return None if answer is None else self._ticket(answer)

    async def find(self, message: Message) -> Ticket | None:
        """See ``Tracker``."""
        query = {
            "search": rules.signature_of(message.fingerprint),
            "in": "description",
            "scope": "all",
            "state": "all",
            "order_by": "created_at",
            "per_page": MOST,
        }
        answer = await self._api.get(f"{self._issues}?{urlencode(query)}")
        found = [
            self._ticket(one)
            for one in listed(answer)
            if rules.fingerprint_in(str(one.get("description") or ""), message.fingerprint)
        ]
        return min(found, key=lambda one: (one.is_closed, int(one.key)), default=None)

    async def create(self, message: Message) -> Ticket:
        """See ``Tracker``."""
        new = {
            "title": message.title,
            "description": rules.marked(message.body, message.fingerprint),
            "labels": ",".join(message.labels),
        }
        return self._ticket(await self._api.change("POST", self._issues, new))

    async def comment(self, key: str, text: str) -> None:
        """See ``Tracker``."""
        await self._api.change("POST", f"{self._issues}/{quote(key)}/notes", {"body": text})

    async def has_comment(self, key: str, run_id: str) -> bool:
        """See ``Tracker``."""
        query = urlencode({"sort": "desc", "order_by": "created_at", "per_page": MOST})
        notes = await self._api.get(f"{self._issues}/{quote(key)}/notes?{query}")
        return any(run_id in str(one.get("body")) for one in listed(notes))

    async def reopen(self, key: str) -> None:
        """See ``Tracker``."""
        path = f"{self._issues}/{quote(key)}"
        await self._api.change("PUT", path, {"state_event": "reopen"})

    def _ticket(self, answer: Any) -> Ticket:
        key = self._api.word(answer, "iid")
        if not key.isdecimal():
            raise self._api.odd(is_unheard=True)
        references = answer.get("references")
        full = references.get("full") if isinstance(references, Mapping) else None
        return Ticket(
            key,
            full if isinstance(full, str) and full else f"#{key}",
            web_address(answer, "web_url"),
            answer.get("state") == "closed",
            str(answer.get("description") or ""),
        )
