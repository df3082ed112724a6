"""Slugs and roles."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from shared.principal import Role

LONGEST_SLUG: Final = 60

RESERVED: Final = frozenset({"default"})
"""Namespaces of the agents surface that everybody shares: no organization may be called so."""


def slug_of(name: str) -> str:
    """Make a slug from a name: plain letters, digits and dashes; ``team`` where none are left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_SLUG].strip("-") or "team"


def listed_role(role: str | None, platform_admin: bool) -> str:
    """Name a role as the learnings surface does: an owner has an admin's rights."""
    if platform_admin or role in (Role.OWNER, Role.ADMIN):
        return Role.ADMIN
    return Role.MEMBER
