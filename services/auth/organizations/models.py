"""Organizations, memberships, and how the admin lists show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.api import Answer


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization as it was just made."""

    id: str
    name: str
    slug: str


class OrganizationItem(Answer):
    """One row of ``GET /v1/admin/organizations`` (learnings contract, section 3.2)."""

    id: str
    name: str
    member_count: int
    slug: str
    plan: str
    created_at: datetime


class UserItem(Answer):
    """One row of ``GET /v1/admin/users`` (learnings contract, section 3.2).

    ``role`` is ``member`` or ``admin`` in the organization ``org_id``; who administers the whole
    installation has ``platform_admin`` too.
    """

    id: str
    email: str
    role: str
    name: str
    verified: bool
    platform_admin: bool
    org_id: str | None
    created_at: datetime
