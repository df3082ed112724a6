"""Who holds what on the agents surface, by the copy of access that this service keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.agents.access.models import Holder, Owner
from shared.bus import Transport
from shared.db import Database
from shared.errors import Forbidden
from shared.principal import Kind, Principal
from shared.siblings import Siblings


class Access:
    """What callers hold. Open it with ``opened``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, database: Database, transport: Transport, siblings: Siblings
    ) -> AsyncIterator[Access]:
        """Keep the copy fresh until the context is left."""
        yield cls(database)

    async def holder(self, principal: Principal) -> Holder:
        """Give a caller with what they hold.

        Raises:
            Unauthenticated: a service account that was deleted, or is not active.
            Forbidden: an API key that was narrowed to other surfaces.
        """
        if principal.kind is Kind.API_KEY and "*" not in principal.scopes:
            raise Forbidden
        if principal.kind is Kind.SERVICE_ACCOUNT:
            owner = Owner("ServiceAccount", principal.subject, principal.subject)
        elif principal.kind is Kind.SUBJECT:
            owner = Owner("Subject", principal.subject, principal.subject)
        else:
            owner = Owner("User", principal.account, principal.account)
        return Holder(principal, owner, ())

    def forget(self) -> None:
        """Forget everything that is remembered, because something changed."""
