"""Who asks the model for a run: under the organization's own key, where it has stored one."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from services.runs.engine.model import Asking
from services.runs.engine.model.lines import Ask
from services.runs.integrations import operations as integrations
from services.runs.settings import RunsSettings
from shared.db import Database
from shared.model_service import Endpoint
from shared.vault import Vault


class Models:
    """Finds the model that runs of an organization may ask. Make it with ``opened``.

    Args:
        database: the service's.
        settings: of this process.
        vault: opens stored keys.
        endpoint: what all share who have no key of their own; None where nothing is configured.
    """

    def __init__(
        self, database: Database, settings: RunsSettings, vault: Vault, endpoint: Endpoint | None
    ) -> None:
        self._database = database
        self._settings = settings
        self._vault = vault
        self._endpoint = endpoint
        self._trust: ssl.SSLContext | None = None

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, database: Database, settings: RunsSettings, vault: Vault
    ) -> AsyncIterator[Models]:
        """Open what organizations without a key of their own share; it closes with the context."""
        async with AsyncExitStack() as stack:
            service = settings.model_service()
            endpoint = None
            if service is not None:
                endpoint = await stack.enter_async_context(service.opened())
            yield cls(database, settings, vault, endpoint)

    @asynccontextmanager
    async def of(self, org_id: str) -> AsyncIterator[Ask | None]:
        """Give who asks for one run of an organization, until the context is left.

        Raises:
            Unavailable: the database is away.
        """
        async with self._database.connection() as connection:
            held = await integrations.values(connection, self._vault, self._settings, org_id)
        own = integrations.model_of(self._settings, held)
        service = own.model_service()
        if service is None:
            yield None
            return
        async with AsyncExitStack() as stack:
            endpoint = self._endpoint
            if own is not self._settings or endpoint is None:
                self._trust = self._trust or httpx.create_ssl_context()
                endpoint = await stack.enter_async_context(service.opened(self._trust))
            yield Asking(service, endpoint, own.model_limits()).answer
