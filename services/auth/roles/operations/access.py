"""Who may do what on the agents surface, and changing that in one order for all."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.roles import rules, store
from services.auth.roles.models import Holder, Holdings
from shared.bus import outbox
from shared.contracts.auth import AuthEvent
from shared.db import Connection, Database
from shared.errors import Conflict, Forbidden, NotFound, Unauthenticated
from shared.grants import API, Grant, allows, is_bound
from shared.principal import Kind, Principal

LIFE: Final = 1.0
"""Seconds for which what a caller holds is remembered; another replica may have changed it."""

MOST_REMEMBERED: Final = 10_000

SERVICE_ACCOUNT_TYPES: Final = ("ServiceAccount",)
PERSON_TYPES: Final = ("User", "Subject")

_Caller = tuple[Kind, str, str, str, str, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of access under way; no other one runs until its transaction ends.

    Attributes:
        connection: in the transaction.
        holder: who makes it, and what they hold at this moment.
        origin: where the request came from.
    """

    connection: Connection
    holder: Holder
    origin: Origin

    async def advance(self, count: int = 1) -> int:
        """Take the numbers of so many changes, and give the first."""
        return await store.advance(self.connection, count)

    async def say(
        self, events: Sequence[AuthEvent], action: str, target: UUID, **more: str
    ) -> None:
        """Say what changed, and write down who did it."""
        await outbox.add_all(self.connection, events)
        done = AuditEvent(
            action, self.origin, self.holder.principal, target=str(target), detail=more
        )
        await record(self.connection, done)


class Access:
    """What callers hold, asked of the database in one query and remembered for a second.

    Args:
        database: the service's.
        clock: seconds that only rise; replaceable in tests.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self.database = database
        self._clock = clock
        self._known: dict[_Caller, tuple[Holder, float]] = {}
        self._changes = 0

    async def holder(self, principal: Principal) -> Holder:
        """Give a caller with what they hold, at most a second old.

        Raises:
            Unauthenticated: a service account that does not exist, or is not active.
        """
        caller = _caller(principal)
        known = self._known.get(caller)
        if known is not None and known[1] > self._clock():
            return known[0]
        changes, until = self._changes, self._clock() + LIFE
        async with self.database.connection() as connection:
            holder = await holder_of(connection, principal)
        # What was read while something changed may be of before.
        if changes == self._changes:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[caller] = holder, until
        return holder

    def forget(self) -> None:
        """Forget everything, because something changed."""
        self._changes += 1
        self._known.clear()

    @asynccontextmanager
    async def changing(self, principal: Principal, origin: Origin) -> AsyncIterator[Change]:
        """Change access in a transaction, after all changes before it and before all after it.

        Raises:
            Forbidden: an API key asks.
            Conflict: nobody would be left who holds everything.
        """
        deny_keys(principal)
        try:
            async with self.database.transaction() as connection:
                await store.lock(connection)
                holder = await holder_of(connection, principal)
                had_administrator = await store.has_administrator(connection)
                yield Change(connection, holder, origin)
                if had_administrator and not await store.has_administrator(connection):
                    raise Conflict("The last administrator cannot be removed")
        finally:
            self.forget()


async def lock(connection: Connection) -> None:
    """Wait for one's turn to change access; it lasts until the transaction ends."""
    await store.lock(connection)


async def advance(connection: Connection, count: int) -> int:
    """Take the numbers of so many changes, and give the first; the transaction holds the lock."""
    return await store.advance(connection, count)


async def held_by_account(connection: Connection, account_id: UUID) -> tuple[Grant, ...]:
    """Give what a service account holds at this moment, active or not."""
    found = await store.find_holdings(
        connection, str(account_id), SERVICE_ACCOUNT_TYPES, None, (), "", None
    )
    return found.grants


async def holder_of(connection: Connection, principal: Principal) -> Holder:
    """Read what a caller holds at this moment.

    Raises:
        Unauthenticated: a service account that does not exist, or is not active.
    """
    found = await _holdings(connection, principal)
    if not found.is_there:
        raise Unauthenticated
    return Holder(principal, found.grants + rules.by_standing(principal.role, found.namespace))


async def _holdings(connection: Connection, principal: Principal) -> Holdings:
    kind, name = principal.kind, principal.subject
    if kind is Kind.SERVICE_ACCOUNT:
        try:
            account = UUID(name)
        except ValueError:
            raise Unauthenticated from None
        return await store.find_holdings(
            connection, str(account), SERVICE_ACCOUNT_TYPES, None, (), "", account
        )
    if kind is Kind.SUBJECT:
        return await store.find_holdings(connection, None, (), name, principal.groups, "", None)
    # A key acts as its account, but one that was narrowed to other surfaces does not act here.
    is_person = kind is Kind.USER or (kind is Kind.API_KEY and "*" in principal.scopes)
    if is_person and principal.account:
        return await store.find_holdings(
            connection, principal.account, PERSON_TYPES, None, (), principal.org, None
        )
    return Holdings((), None, True)


def _caller(principal: Principal) -> _Caller:
    return (
        principal.kind,
        principal.subject,
        principal.org,
        principal.role,
        principal.account,
        principal.scopes,
        principal.groups,
    )


def require(
    holder: Holder, resource: str, verb: str, namespace: str | None, names: Sequence[str] = ()
) -> None:
    """Check that a caller may do something.

    Raises:
        Forbidden: they may not.
    """
    if not allows(holder.grants, API, resource, verb, namespace, names):
        raise Forbidden


def require_bound(holder: Holder, namespace: str | None, missing: str) -> None:
    """Check that a caller may know of what is in a namespace; what is global is no secret.

    Raises:
        NotFound: they hold nothing there; ``missing`` is the text.
    """
    if namespace is not None and not is_bound(holder.grants, namespace):
        raise NotFound(missing)


def deny_keys(principal: Principal) -> None:
    """Check that no API key is about to change who may do what.

    Raises:
        Forbidden: one is.
    """
    if principal.kind is Kind.API_KEY:
        raise Forbidden("API keys do not manage accounts, roles and bindings")
