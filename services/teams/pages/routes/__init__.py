"""HTTP door of pages (teams contract, sections 1 and 4.3)."""

from __future__ import annotations

from typing import Final

from services.teams.pages.routes import members, mine, overview, public, settings, skills
from shared.api import Operation

OPERATIONS: Final[tuple[Operation, ...]] = (
    *public.OPERATIONS,
    *mine.OPERATIONS,
    *overview.OPERATIONS,
    *settings.OPERATIONS,
    *members.OPERATIONS,
    *skills.OPERATIONS,
)
