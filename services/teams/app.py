"""Composition root of the teams service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from services.teams import consumers
from services.teams.accounts import routes as accounts
from services.teams.claims import routes as claims
from services.teams.exports import routes as exports
from services.teams.exports.operations import Exports
from services.teams.invites import operations as invitations
from services.teams.invites import routes as invites
from services.teams.knowledge import routes as knowledge
from services.teams.machines.operations import Sightings
from services.teams.memberships import routes as memberships
from services.teams.news import operations as news
from services.teams.pages import routes as pages
from services.teams.replays import operations as replays
from services.teams.settings import TeamsSettings
from services.teams.sharing import routes as sharing
from services.teams.socket.protocol import SocketProtocol
from services.teams.socket.sockets import SocketLimits, Sockets
from services.teams.tasks import routes as tasks
from services.teams.teams import routes as teams
from services.teams.teams.operations import prepare
from services.teams.versions import operations as history
from services.teams.versions import routes as versions
from shared import service
from shared.bus import Transport
from shared.db import Database
from shared.service import Resources, Service, Sweep
from shared.siblings import Siblings


@asynccontextmanager
async def open_resources(
    settings: TeamsSettings, database: Database, transport: Transport
) -> AsyncIterator[Resources]:
    """Open what endpoints and sockets need beside the database."""
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(prepare)
        siblings = await stack.enter_async_context(Siblings.opened("teams", settings.siblings()))
        sightings = await stack.enter_async_context(Sightings.opened(database))
        sockets = Sockets.opened(
            database,
            transport,
            key=settings.key_for_assertions(),
            sightings=sightings,
            limits=SocketLimits(total=settings.sockets, each=settings.sockets_per_machine),
        )
        yield {
            TeamsSettings: settings,
            Database: database,
            Siblings: siblings,
            Sightings: sightings,
            Exports: stack.enter_context(Exports.opened()),
            Sockets: await stack.enter_async_context(sockets),
        }


@asynccontextmanager
async def background(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Forget old signatures in time."""
    async with replays.sweeping(database):
        yield


def sweeps(resources: Resources) -> Sequence[Sweep]:
    """Give the hourly clean-ups."""
    return (news.sweep, history.sweep_of(resources[TeamsSettings]), invitations.sweep)


SERVICE: Final = Service(
    name="teams",
    settings=TeamsSettings,
    migrations=Path(__file__).parent / "migrations",
    operations=(
        *teams.OPERATIONS,
        *versions.OPERATIONS,
        *knowledge.OPERATIONS,
        *tasks.OPERATIONS,
        *invites.OPERATIONS,
        *memberships.OPERATIONS,
        *claims.OPERATIONS,
        *sharing.OPERATIONS,
        *accounts.OPERATIONS,
        *exports.OPERATIONS,
        *pages.OPERATIONS,
    ),
    subscriptions=consumers.subscriptions,
    open_resources=open_resources,
    background=background,
    sweeps=sweeps,
    websocket=SocketProtocol,
)


def create_app(settings: TeamsSettings) -> ASGIApp:
    """Make the service's ASGI app."""
    return service.create_app(SERVICE, settings)
