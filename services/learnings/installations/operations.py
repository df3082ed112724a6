"""Noting which clients were seen, without holding up what they asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shared.db import Database


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one call tells of the client that made it; empty is what it does not tell.

    Attributes:
        org_id: the organization it acts in.
        installation_id: the client's own id as it sent it, or the key's where it sent none.
        client_profile: such as ``claude-code``.
        framework_version: of the client.
        model_family: of the model that drives it.
        os_platform: where it runs.
        python_version: what it runs on.
        project: ``origin_project`` or a raw name.
        pushed: learnings that it pushed in this call.
        events: telemetry events that it sent in this call.
        pulled_to: the cursor that it has pulled to.
    """

    org_id: str
    installation_id: str
    client_profile: str = ""
    framework_version: str = ""
    model_family: str = ""
    os_platform: str = ""
    python_version: str = ""
    project: str = ""
    pushed: int = 0
    events: int = 0
    pulled_to: int | None = None


class Sightings:
    """Takes sightings and writes them, many at once. Open it with ``opened``."""

    @classmethod
    @asynccontextmanager
    async def opened(cls, database: Database) -> AsyncIterator[Sightings]:
        """Write what is noted until the context is left."""
        yield cls()

    def note(self, sighting: Sighting) -> None:
        """Take one; returns at once, and never fails."""
