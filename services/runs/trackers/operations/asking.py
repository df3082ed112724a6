"""Asking a tracker's API, and reading its answer as far as it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from pydantic_core import from_json, to_json

from services.runs.trackers import rules
from services.runs.trackers.models import NAMES, Kind, Message, Ticket, TrackerFailed
from shared.fetch import Exchanged, Fetcher, FetchFailed

SECONDS: Final = 15.0
"""For one request: resolving, connecting, and the whole answer."""

LARGEST: Final = 16 * 1_048_576
"""Bytes of an answer; a page of issues with long bodies is some megabytes."""

GONE: Final = (301, 404, 410)
"""An issue that was deleted or moved away."""

LONGEST: Final = 2_000
"""Characters of an address."""


class Tracker(Protocol):
    """One project of a tracker. Everything raises ``TrackerFailed``."""

    async def read(self, key: str) -> Ticket | None:
        """Give an issue; None if it is not there any more."""

    async def find(self, message: Message) -> Ticket | None:
        """Find the issue of a failure by its fingerprint, as far as the tracker shows it yet."""

    async def create(self, message: Message) -> Ticket:
        """Create an issue."""

    async def comment(self, key: str, text: str) -> None:
        """Add a comment; Markdown."""

    async def has_comment(self, key: str, run_id: str) -> bool:
        """Tell whether one of the newest comments is of a run."""

    async def reopen(self, key: str) -> None:
        """Open a closed issue again, where the tracker has a plain way to."""


class Api:
    """The API of one tracker, as one account.

    Args:
        fetcher: reaches only what may be reached.
        provider: whose.
        base: its address.
        headers: who we are; never repeated.
    """

    def __init__(
        self, fetcher: Fetcher, provider: str, base: str, headers: Mapping[str, str]
    ) -> None:
        self.provider = provider
        self._fetcher = fetcher
        self._base = base
        self._headers = {"accept": "application/json", "user-agent": "guildhall", **headers}

    async def get(self, path: str, *also: int) -> Any:
        """Get a JSON document; None for a status in ``also``."""
        return await self._ask("GET", path, None, also, changes=False)

    async def look(self, path: str, body: Any) -> Any:
        """Ask with POST for what is only read."""
        return await self._ask("POST", path, body, (), changes=False)

    async def change(self, method: str, path: str, body: Any, *also: int) -> Any:
        """Change something; None for a status in ``also``."""
        return await self._ask(method, path, body, also, changes=True)

    async def _ask(
        self, method: str, path: str, body: Any, also: tuple[int, ...], *, changes: bool
    ) -> Any:
        headers, content = self._headers, None
        if body is not None:
            headers, content = {**headers, "content-type": "application/json"}, to_json(body)
        try:
            answer = await self._fetcher.exchange(
                method, self._base + path, headers, content, seconds=SECONDS, most=LARGEST
            )
        except FetchFailed as failed:
            raise rules.failure_of_fetch(self.provider, failed.reason, changes=changes) from None
        if answer.status in also:
            return None
        failure = rules.failure_of_answer(
            self.provider,
            answer.status,
            answer.retry_after,
            answer.body[:LONGEST],
            changes=changes,
        )
        if failure is not None:
            raise failure
        return self._document(answer, changes=changes)

    def _document(self, answer: Exchanged, *, changes: bool) -> Any:
        try:
            if not answer.is_whole:
                raise ValueError
            return from_json(answer.body) if answer.body else {}
        except ValueError:
            raise self.odd(is_unheard=changes) from None

    def odd(self, *, is_unheard: bool = False) -> TrackerFailed:
        """Make the failure of an answer that makes no sense, such as a log-in page."""
        reason = f"{NAMES[self.provider]} gave an answer that is none of its API"
        return TrackerFailed(reason, Kind.LATER, is_unheard=is_unheard)

    def word(self, answer: object, name: str) -> str:
        """Give a text or number of an answer, as text.

        Raises:
            TrackerFailed: it is not there.
        """
        value = answer.get(name) if isinstance(answer, Mapping) else None
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise self.odd(is_unheard=True)
        return str(value)


def web_address(answer: Mapping[str, Any], name: str) -> str:
    """Give an address that people may be sent to; empty where an answer has none."""
    value = answer.get(name)
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        return ""
    try:
        return value if urlsplit(value).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def listed(answer: object) -> list[Mapping[str, Any]]:
    """Give the objects of an answer that is a list."""
    return [one for one in answer if isinstance(one, Mapping)] if isinstance(answer, list) else []
