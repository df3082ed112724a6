"""Composition root of the agents service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from services.agents import consumers
from services.agents.access.operations import Access
from services.agents.agents import routes as agents
from services.agents.agents.operations import ensure_assistant
from services.agents.audit import operations as audit
from services.agents.events import routes as events
from services.agents.events.operations import Streams
from services.agents.health import routes as health
from services.agents.messages import routes as messages
from services.agents.providers.operations import Providers
from services.agents.sessions import operations as conversations
from services.agents.sessions import routes as sessions
from services.agents.sessions.operations import Bell, Totals
from services.agents.settings import AgentsSettings
from services.agents.turns import operations as turns
from services.agents.workspaces import routes as workspaces
from shared import service
from shared.bus import Transport
from shared.db import Database
from shared.service import Resources, Service, Sweep
from shared.siblings import Siblings


@asynccontextmanager
async def open_resources(
    settings: AgentsSettings, database: Database, transport: Transport
) -> AsyncIterator[Resources]:
    """Open what endpoints need beside the database."""
    async with AsyncExitStack() as stack:
        siblings = await stack.enter_async_context(Siblings.opened("agents", settings.siblings()))
        access = Access.opened(database, transport, siblings)
        if settings.is_development:
            await ensure_assistant(database)
        streams = Streams(
            database, transport, most=settings.streams, per_caller=settings.streams_per_caller
        )
        yield {
            AgentsSettings: settings,
            Siblings: siblings,
            Transport: transport,
            Bell: Bell(),
            Totals: Totals(),
            Providers: await stack.enter_async_context(Providers.opened(settings)),
            Streams: await stack.enter_async_context(streams),
            Access: await stack.enter_async_context(access),
        }


def sweeps(resources: Resources) -> Sequence[Sweep]:
    """Give the hourly clean-ups."""
    audit_days = resources[AgentsSettings].audit_days
    return (audit.sweep_of(audit_days), conversations.sweep, turns.sweep)


async def probes(resources: Resources) -> Mapping[str, bool]:
    """Tell whether callers can be answered: what they hold must be known."""
    return {"access": await resources[Access].is_known()}


SERVICE: Final = Service(
    name="agents",
    settings=AgentsSettings,
    migrations=Path(__file__).parent / "migrations",
    operations=(
        *health.OPERATIONS,
        *agents.OPERATIONS,
        *sessions.OPERATIONS,
        *messages.OPERATIONS,
        *events.OPERATIONS,
        *workspaces.OPERATIONS,
    ),
    subscriptions=consumers.subscriptions,
    open_resources=open_resources,
    background=turns.working,
    sweeps=sweeps,
    probes=probes,
)


def create_app(settings: AgentsSettings) -> ASGIApp:
    """Make the service's ASGI app."""
    return service.create_app(SERVICE, settings)
