"""Composition root of the agents service: health and metrics, until its surface is built."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from services.agents import consumers
from services.agents.settings import AgentsSettings
from shared import service
from shared.errors import Unavailable

RETRY_AFTER: Final = 300
"""Seconds: trying again sooner helps nobody."""


def not_built() -> Unavailable:
    """Say honestly that the surface is not there yet."""
    return Unavailable("The agents surface is not available yet", retry_after=RETRY_AFTER)


SERVICE: Final = service.Service(
    name="agents",
    settings=AgentsSettings,
    migrations=Path(__file__).parent / "migrations",
    subscriptions=consumers.subscriptions,
    unknown_path=not_built,
)


def create_app(settings: AgentsSettings) -> ASGIApp:
    """Make the service's ASGI app."""
    return service.create_app(SERVICE, settings)
