"""Composition root of the learnings service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from services.learnings import consumers
from services.learnings.backup import operations as backups
from services.learnings.backup import routes as backup
from services.learnings.company import operations as company
from services.learnings.export import routes as export
from services.learnings.export.operations import Exports
from services.learnings.health import routes as health
from services.learnings.installations import routes as installations
from services.learnings.installations.operations import Sightings
from services.learnings.intel import routes as intel
from services.learnings.intel.operations import Scans
from services.learnings.key_policies import routes as key_policies
from services.learnings.learnings import routes as learnings
from services.learnings.outcomes import routes as outcomes
from services.learnings.proprietary import routes as proprietary
from services.learnings.releases import routes as releases
from services.learnings.releases.operations import Signer
from services.learnings.search import operations as searching
from services.learnings.search import routes as search
from services.learnings.search.operations import Searcher
from services.learnings.settings import LearningsSettings
from services.learnings.stream import routes as stream
from services.learnings.stream.operations import Streams
from services.learnings.submissions import routes as submissions
from services.learnings.sync import routes as sync
from services.learnings.telemetry import operations as events
from services.learnings.telemetry import routes as telemetry
from services.learnings.webhooks import operations as deliveries
from services.learnings.webhooks import routes as webhooks
from shared import service
from shared.bus import Transport
from shared.db import Database
from shared.object_store import FileStore
from shared.service import Resources, Service, Sweep
from shared.vault import Vault


@asynccontextmanager
async def open_resources(
    settings: LearningsSettings, database: Database, transport: Transport
) -> AsyncIterator[Resources]:
    """Open what endpoints need beside the database."""
    async with AsyncExitStack() as stack:
        sightings = await stack.enter_async_context(Sightings.opened(database))
        files = await stack.enter_async_context(FileStore.opened(settings.files_url))
        streams = await stack.enter_async_context(
            Streams(
                transport, most=settings.streams, per_organization=settings.streams_per_organization
            )
        )
        searcher = await stack.enter_async_context(Searcher.opened(settings, database))
        yield {
            LearningsSettings: settings,
            Vault: Vault(settings.key_for_secrets()),
            Sightings: sightings,
            Scans: Scans(),
            Streams: streams,
            FileStore: files,
            Exports: Exports(),
            Searcher: searcher,
            Signer: Signer(settings.release_seed()),
            events.Reader: events.Reader(),
        }


@asynccontextmanager
async def background(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Keep telemetry in order, deliver webhooks, make vectors."""
    async with AsyncExitStack() as stack:
        for work in (events.keeping, deliveries.delivering, searching.embedding):
            await stack.enter_async_context(work(resources, database))
        yield


def sweeps(resources: Resources) -> Sequence[Sweep]:
    """Give the hourly clean-ups."""
    telemetry_days = resources[LearningsSettings].telemetry_days
    return (
        deliveries.sweep,
        backups.sweep_of(resources),
        events.sweep(telemetry_days),
        company.sweep,
    )


SERVICE: Final = Service(
    name="learnings",
    settings=LearningsSettings,
    migrations=Path(__file__).parent / "migrations",
    operations=installations.noting(
        (
            *health.OPERATIONS,
            *learnings.OPERATIONS,
            *search.OPERATIONS,
            *stream.OPERATIONS,
            *export.OPERATIONS,
            *sync.OPERATIONS,
            *intel.OPERATIONS,
            *key_policies.OPERATIONS,
            *outcomes.OPERATIONS,
            *telemetry.OPERATIONS,
            *installations.OPERATIONS,
            *submissions.OPERATIONS,
            *releases.OPERATIONS,
            *proprietary.OPERATIONS,
            *backup.OPERATIONS,
            *webhooks.OPERATIONS,
        )
    ),
    subscriptions=consumers.subscriptions,
    open_resources=open_resources,
    background=background,
    sweeps=sweeps,
)


def create_app(settings: LearningsSettings) -> ASGIApp:
    """Make the service's ASGI app."""
    return service.create_app(SERVICE, settings)
