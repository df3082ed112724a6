"""Composition root of the learnings service."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from services.learnings import consumers
from services.learnings.health import routes as health
from services.learnings.learnings import routes as learnings
from services.learnings.settings import LearningsSettings
from shared import service

SERVICE: Final = service.Service(
    name="learnings",
    settings=LearningsSettings,
    migrations=Path(__file__).parent / "migrations",
    operations=(*health.OPERATIONS, *learnings.OPERATIONS),
    subscriptions=consumers.subscriptions,
)


def create_app(settings: LearningsSettings) -> ASGIApp:
    """Make the service's ASGI app."""
    return service.create_app(SERVICE, settings)
