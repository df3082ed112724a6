"""What callers hold, asked of the copy in one query and remembered for a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from services.agents.access import store
from services.agents.access.models import Account, Holder, Owner, Wanted
from services.agents.access.operations.copying import Keeper
from shared.bus import BroadcastSubscription, Event, Listener, Transport
from shared.contracts.auth import (
    OrganizationCreated,
    OrganizationDeleted,
    RoleBindingChanged,
    RoleChanged,
    ServiceAccountChanged,
)
from shared.db import Database
from shared.errors import Forbidden, Unauthenticated, Unavailable
from shared.grants import EVERYTHING, Grant
from shared.principal import Kind, Principal, Role
from shared.siblings import Siblings

LIFE: Final = 0.5
"""Seconds for which what a caller holds is remembered; with the way of an event a change holds
within a second (agents contract, section 7)."""

MOST_REMEMBERED: Final = 10_000

_NEWS: Final[tuple[type[Event], ...]] = (
    RoleChanged,
    RoleBindingChanged,
    ServiceAccountChanged,
    OrganizationCreated,
    OrganizationDeleted,
)

_Held = tuple[Owner, tuple[Grant, ...]]


class Access:
    """What callers hold. Open it with ``opened``.

    Args:
        database: the service's.
        clock: seconds that only rise; replaceable in tests.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[tuple[Any, ...], tuple[_Held, float]] = {}
        self._changes = 0
        self._doubtful_until = 0.0

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, database: Database, transport: Transport, siblings: Siblings
    ) -> AsyncIterator[Access]:
        """Keep the copy fresh until the context is left; auth may be away meanwhile.

        Args:
            database: the service's.
            transport: where changes are heard.
            siblings: auth among them.
        """
        access = cls(database)
        keeper = Keeper(database, siblings, access.forget)

        async def on_news(event: Event) -> None:
            access.doubt()
            keeper.stir()

        def on_gap() -> None:
            access.doubt()
            keeper.stir()

        heard = [BroadcastSubscription(kind, on_news) for kind in _NEWS]
        async with Listener(transport, "agents.access", heard, on_gap=on_gap):
            task = asyncio.create_task(keeper.run(), name="keep the copy of access")
            try:
                yield access
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def holder(self, principal: Principal) -> Holder:
        """Give a caller with what they hold, at most half a second old.

        Raises:
            Unauthenticated: nobody, or a service account that was deleted or is not active.
            Forbidden: an API key that was narrowed to other surfaces, or a machine.
            Unavailable: auth has never been asked who holds what.
        """
        caller = (
            principal.kind,
            principal.subject,
            principal.org,
            principal.role,
            principal.account,
            principal.scopes,
            principal.groups,
        )
        known = self._known.get(caller)
        if known is not None and known[1] > self._clock():
            return Holder(principal, *known[0])
        changes, until = self._changes, self._clock() + LIFE
        held = await self._look_up(principal)
        # What was read while something changed may be of before.
        if changes == self._changes and self._clock() >= self._doubtful_until:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[caller] = held, until
        return Holder(principal, *held)

    async def is_known(self) -> bool:
        """Tell whether auth has ever been asked who holds what; nobody is answered before."""
        async with self._database.connection() as connection:
            return await store.is_filled(connection)

    def forget(self) -> None:
        """Forget everything that is remembered, because something changed."""
        self._changes += 1
        self._known.clear()

    def doubt(self) -> None:
        """Remember nothing for a moment: something changed, but perhaps not in the copy yet."""
        self.forget()
        self._doubtful_until = self._clock() + LIFE

    async def _look_up(self, principal: Principal) -> _Held:
        wanted = _wanted(principal)
        async with self._database.connection() as connection:
            found = await store.find_holdings(connection, wanted)
        if not found.is_filled:
            raise Unavailable("Permissions are not known yet", retry_after=1)
        if wanted.service_account is not None:
            return _of_account(wanted.service_account, found.account, found.grants)
        if wanted.subject is not None:
            return Owner("Subject", wanted.subject, wanted.subject), found.grants
        owner = Owner("User", principal.account, principal.account)
        if principal.is_platform_admin:
            return owner, (*found.grants, Grant(role="admin", namespace=None, rules=(EVERYTHING,)))
        return owner, found.grants


def _wanted(principal: Principal) -> Wanted:
    """Say whose holdings count: a key's maker's; for a subject never those of an account."""
    match principal.kind:
        case Kind.SERVICE_ACCOUNT:
            try:
                account = UUID(principal.subject)
            except ValueError:
                raise Unauthenticated from None
            return Wanted(str(account), ("ServiceAccount",), service_account=account)
        case Kind.SUBJECT:
            return Wanted(subject=principal.subject, groups=principal.groups)
        case Kind.USER | Kind.API_KEY if principal.account:
            if principal.kind is Kind.API_KEY and "*" not in principal.scopes:
                raise Forbidden
            standing = "" if principal.role == Role.PLATFORM_ADMIN else principal.role
            return Wanted(
                principal.account, ("User", "Subject"), org=principal.org, standing=standing
            )
        case Kind.ANONYMOUS:
            raise Unauthenticated
    raise Forbidden


def _of_account(account: UUID, known: Account | None, grants: tuple[Grant, ...]) -> _Held:
    """Decide on a service account: nobody holds anything before it was heard of.

    Raises:
        Unauthenticated: it was deleted, or is not active.
    """
    if known is None:
        return Owner("ServiceAccount", str(account), str(account)), ()
    if not known.active:
        raise Unauthenticated
    return Owner("ServiceAccount", str(account), known.name), grants
