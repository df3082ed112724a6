"""GitHub's REST API, of github.com or of an Enterprise server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from services.runs.trackers import rules
from services.runs.trackers.models import LABEL, Account, Message, Ticket
from services.runs.trackers.operations.asking import GONE, Api, listed, web_address
from shared.fetch import Fetcher

VERSION: Final = "2022-11-28"
MOST: Final = 100
"""Issues or comments of one page; GitHub gives no more."""


class GitHub:
    """One repository; see ``Tracker``.

    The list of labelled issues shows what was created a moment ago; the search, which may lag,
    finds what is older than that list goes back, and what lost its label.
    """

    def __init__(self, fetcher: Fetcher, account: Account) -> None:
        headers = {
            "authorization": f"Bearer {account.secret}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": VERSION,
        }
        self._api = Api(fetcher, "github", account.base, headers)
        self._project = account.project
        self._issues = f"/repos/{quote(account.project)}/issues"

    async def read(self, key: str) -> Ticket | None:
        """See ``Tracker``."""
        answer = await self._api.get(f"{self._issues}/{quote(key)}", *GONE)
        return None if answer is None else self._ticket(answer)

    async def find(self, message: Message) -> Ticket | None:
        """See ``Tracker``."""
        query = {"labels": LABEL, "state": "all", "sort": "created", "per_page": MOST}
        newest = listed(await self._api.get(f"{self._issues}?{urlencode(query)}"))
        if (found := self._chosen(newest, message)) is not None:
            return found
        words = rules.signature_of(message.fingerprint)
        search = {"q": f'"{words}" in:body is:issue repo:{self._project}', "per_page": MOST}
        answer = await self._api.get(f"/search/issues?{urlencode(search)}")
        items = answer.get("items") if isinstance(answer, Mapping) else None
        return self._chosen(listed(items), message)

    def _chosen(self, issues: list[Mapping[str, Any]], message: Message) -> Ticket | None:
        """Choose of those of the failure an open one, the oldest."""
        found = [
            self._ticket(one)
            for one in issues
            if "pull_request" not in one
            and rules.fingerprint_in(str(one.get("body") or ""), message.fingerprint)
        ]
        return min(found, key=lambda one: (one.is_closed, int(one.key)), default=None)

    async def create(self, message: Message) -> Ticket:
        """See ``Tracker``."""
        body = rules.marked(message.body, message.fingerprint)
        new = {"title": message.title, "body": body, "labels": message.labels}
        return self._ticket(await self._api.change("POST", self._issues, new))

    async def comment(self, key: str, text: str) -> None:
        """See ``Tracker``."""
        await self._api.change("POST", f"{self._issues}/{quote(key)}/comments", {"body": text})

    async def has_comment(self, key: str, run_id: str) -> bool:
        """See ``Tracker``."""
        # Comments come oldest first, and their list cannot be turned round: the newest are on
        # the last page, whose number follows from how many there are.
        issue = await self._api.get(f"{self._issues}/{quote(key)}")
        count = issue.get("comments") if isinstance(issue, Mapping) else None
        last = max(1, -(-count // MOST)) if isinstance(count, int) else 1
        query = urlencode({"per_page": MOST, "page": last})
        comments = await self._api.get(f"{self._issues}/{quote(key)}/comments?{query}")
        return any(run_id in str(one.get("body")) for one in listed(comments))

    async def reopen(self, key: str) -> None:
        """See ``Tracker``."""
        await self._api.change("PATCH", f"{self._issues}/{quote(key)}", {"state": "open"})

    def _ticket(self, answer: Any) -> Ticket:
        key = self._api.word(answer, "number")
        if not key.isdecimal():
            raise self._api.odd(is_unheard=True)
        return Ticket(
            key,
            f"{self._project}#{key}",
            web_address(answer, "html_url"),
            answer.get("state") == "closed",
            str(answer.get("body") or ""),
        )
