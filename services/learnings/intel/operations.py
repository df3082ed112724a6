"""Answering pulls (learnings contract, section 6.1)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from pydantic_core import to_json

from services.learnings.intel import rules, store
from services.learnings.intel.models import (
    PAGE_BYTES,
    PAGE_SIZE,
    FeedPage,
    Known,
    Pulled,
    Reader,
    Scanned,
    StateQuery,
    SyncHints,
)
from services.learnings.learnings.operations import origin_of_client
from shared.db import Database
from shared.errors import Forbidden
from shared.principal import Kind, Principal

_MOST_SCANS: Final = 10_000


class Scans:
    """Remembers up to where rows after a cursor hold nothing for a reader.

    An installation that only pushes never moves its cursor: each pull would walk past all that it
    wrote itself. What was walked past stays so, because a row that changes gets a new number.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Reader, Scanned] = OrderedDict()

    def get(self, reader: Reader) -> Scanned | None:
        """Give what is known of a reader at its cursors."""
        return self._known.get(reader)

    def note(self, reader: Reader, page: FeedPage) -> None:
        """Remember what a page without further team rows says; the oldest knowledge goes."""
        self._known[reader] = Scanned(page.revision, page.high)
        self._known.move_to_end(reader)
        if len(self._known) > _MOST_SCANS:
            self._known.popitem(last=False)


def reader_of(principal: Principal, query: StateQuery) -> Reader:
    """Say who pulls; the rows of its own installation are left out unless it asks for them.

    Raises:
        Forbidden: the caller acts in no organization.
    """
    if not principal.org:
        raise Forbidden("An organization is needed")
    own = "" if query.include_own == "1" else origin_of_client(query.client_id)
    key_id = principal.subject if principal.kind is Kind.API_KEY else ""
    return Reader(principal.org, key_id, own, query.since_seq, query.since_company_seq)


async def pull(
    database: Database,
    scans: Scans,
    reader: Reader,
    if_none_match: str,
    *,
    client: str,
    poll_seconds: int,
    size: int = PAGE_SIZE,
) -> Pulled:
    """Give what waits for a reader, or only the tag if it has everything.

    Args:
        database: the service's.
        scans: of this process.
        reader: who asks, and where it stands.
        if_none_match: the header as sent, or empty.
        client: whom the poll interval is spread by.
        poll_seconds: the interval before it is spread.
        size: rows of one answer.
    """
    known = rules.known_of(reader, if_none_match, poll_seconds)
    async with database.connection() as connection:
        page = await store.page(connection, reader, known, scans.get(reader), size, PAGE_BYTES)
    etag = rules.tag_of(reader, page, poll_seconds)
    if known == Known(page.high, page.company_high, page.revision):
        return Pulled(etag, None)
    if page.last is None:
        scans.note(reader, page)
    hints = SyncHints(
        interval_seconds=rules.interval_for(client, poll_seconds),
        significant_updates_available=page.waits,
    )
    after = reader.company_since if page.company_last is None else page.company_last
    head = to_json({"etag": etag, "sync_hints": hints, "next_company_seq": after})
    body = head[:-1] + b',"team_learnings":' + page.rows.encode() + b"}"
    return Pulled(etag, body)
