"""Composition root of the runs service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from services.runs import consumers
from services.runs.analytics import routes as analytics
from services.runs.artifacts import operations as kept_artifacts
from services.runs.artifacts import routes as artifacts
from services.runs.checks import operations as made_checks
from services.runs.checks import routes as checks
from services.runs.deliveries import operations as deliveries
from services.runs.engine.probes.pictures import Comparer
from services.runs.generations import routes as generations
from services.runs.health import routes as health
from services.runs.integrations import routes as integrations
from services.runs.issues import routes as issues
from services.runs.plans import routes as plans
from services.runs.recordings import operations as made_recordings
from services.runs.recordings import routes as recordings
from services.runs.resolutions import routes as resolutions
from services.runs.runs import routes as runs
from services.runs.runs.operations import Endings, Streams
from services.runs.settings import RunsSettings
from services.runs.suites import routes as suites
from services.runs.trackers import operations as trackers
from services.runs.workers import operations as workers
from shared import service
from shared.bus import Transport
from shared.db import Database
from shared.fetch import Fetcher
from shared.service import Resources, Service, Sweep
from shared.vault import Vault


@asynccontextmanager
async def open_resources(
    settings: RunsSettings, database: Database, transport: Transport
) -> AsyncIterator[Resources]:
    """Open what endpoints and workers need beside the database."""
    async with AsyncExitStack() as stack:
        streams = Streams(
            transport, most=settings.streams, per_organization=settings.streams_per_organization
        )
        store = kept_artifacts.Store.opened(
            database, settings.files_url, settings.run_artifact_size
        )
        vault = Vault(settings.key_for_secrets())
        yield {
            RunsSettings: settings,
            kept_artifacts.Store: await stack.enter_async_context(store),
            kept_artifacts.Links: kept_artifacts.Links(settings.key_for_secrets()),
            made_recordings.LivePages: made_recordings.LivePages(
                settings.key_for_secrets(), settings.public_url
            ),
            Transport: transport,
            Vault: vault,
            Endings: workers.Closing(settings, vault),
            Streams: await stack.enter_async_context(streams),
            Fetcher: await stack.enter_async_context(Fetcher.opened(settings.targets())),
            Comparer: Comparer(),
        }


def sweeps(resources: Resources) -> Sequence[Sweep]:
    """Give the hourly clean-ups."""
    return (
        kept_artifacts.sweep_of(resources),
        made_checks.sweep_of(resources),
        deliveries.sweep,
        trackers.sweep,
    )


SERVICE: Final = Service(
    name="runs",
    settings=RunsSettings,
    migrations=Path(__file__).parent / "migrations",
    operations=(
        *health.OPERATIONS,
        *suites.OPERATIONS,
        *runs.OPERATIONS,
        *artifacts.OPERATIONS,
        *resolutions.OPERATIONS,
        *issues.OPERATIONS,
        *analytics.OPERATIONS,
        *checks.OPERATIONS,
        *integrations.OPERATIONS,
        *plans.OPERATIONS,
        *generations.OPERATIONS,
        *recordings.OPERATIONS,
    ),
    subscriptions=consumers.subscriptions,
    open_resources=open_resources,
    labour=workers.working,
    sweeps=sweeps,
)


def create_app(settings: RunsSettings) -> ASGIApp:
    """Make the service's ASGI app."""
    return service.create_app(SERVICE, settings)
