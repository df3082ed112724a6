"""Use cases of installations: noting who calls, and showing it."""

from __future__ import annotations

from services.learnings.installations.models import Sighting
from services.learnings.installations.operations.listing import (
    page,
    page_of_all,
    relabel,
    show,
)
from services.learnings.installations.operations.sightings import Sightings
from services.learnings.installations.rules import origin_of, profile_of, seen

__all__ = [
    "Sighting",
    "Sightings",
    "origin_of",
    "page",
    "page_of_all",
    "profile_of",
    "relabel",
    "seen",
    "show",
]
