"""The page of a recording: who holds its ticket sees it, acts in it and ends it, and no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from services.runs.recordings.models import Input, LiveSeen
from services.runs.recordings.operations import recording
from services.runs.recordings.operations.means import Means
from shared.errors import BadRequest, Unauthenticated
from shared.principal import Kind, Principal
from shared.tickets import Tickets

LIFE: Final = 900
"""Seconds for which a ticket holds; a page that is open gets the next one in time."""

NEXT: Final = 600
"""Seconds of a ticket's life that are left when the next one is given."""

_PURPOSE: Final = "recording"


class LivePages:
    """Writes and reads the tickets of recordings' pages, each for one recording.

    Args:
        key: the service's encryption key, from which one for tickets alone is derived.
        home: the address of the installation.
    """

    def __init__(self, key: bytes, home: str) -> None:
        self._tickets = Tickets(key, LIFE)
        self._home = home.rstrip("/")

    def url(self, principal: Principal, record_id: str) -> str:
        """Give a recording's page; the ticket is its fragment, which browsers send nowhere."""
        ticket = self._write(principal, record_id)
        return f"{self._home}/api/v1/record/sessions/{record_id}/live#{ticket}"

    def _write(self, principal: Principal, record_id: str) -> str:
        return self._tickets.write(
            _PURPOSE, org=principal.org, account=principal.account, id=record_id
        )

    def holder(self, ticket: str, record_id: str) -> Principal:
        """Give for whom a ticket stands: its maker, without any scope.

        Raises:
            Unauthenticated: it is not ours, is over, or is of another recording.
        """
        return self._read(ticket, record_id)[0]

    def _read(self, ticket: str, record_id: str) -> tuple[Principal, int]:
        try:
            claims = self._tickets.read(_PURPOSE, ticket)
        except BadRequest:
            raise Unauthenticated from None
        if claims["id"] != record_id:
            raise Unauthenticated
        account = str(claims["account"])
        holder = Principal(Kind.USER, account, str(claims["org"]), "", (), "", account)
        return holder, int(claims["exp"])

    async def see(
        self, means: Means, ticket: str, record_id: str, after: int, wait: float
    ) -> LiveSeen:
        """Give what a page shows next, once there is something new or the wait is over.

        Args:
            means: with what.
            ticket: of the page.
            record_id: of the recording.
            after: ``n`` of what is shown.
            wait: seconds.

        Raises:
            Unauthenticated: the ticket does not hold.
            NotFound: there is no such recording any more.
        """
        holder, ends = self._read(ticket, record_id)
        until = time.monotonic() + wait
        while True:
            found, words = await recording.look(means, holder.org, record_id, after)
            if words or found.is_over or time.monotonic() >= until:
                break
            await asyncio.sleep(recording.POLL)
        by_slot = {word.slot: word.content for word in words}
        status = recording.status_of(found, bool(words) or after > 0)
        count = by_slot.get("state", {}).get("action_count")
        return LiveSeen(
            n=max((word.n for word in words), default=after),
            status=status,
            error=recording.error_of(found, status),
            action_count=recording.count_of(found) if found.is_over else count,
            ticket=self._write(holder, record_id) if ends - time.time() < NEXT else None,
            **by_slot.get("picture", {}),
        )

    async def act(self, means: Means, ticket: str, record_id: str, inputs: Sequence[Input]) -> None:
        """Pass on what a person does on a page, in its order.

        Raises:
            Unauthenticated: the ticket does not hold.
            NotFound: there is no such recording any more.
            BadRequest: it has ended.
        """
        holder = self.holder(ticket, record_id)
        for one in inputs:
            await recording.act(means, holder.org, record_id, one)
