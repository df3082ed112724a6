"""HTTP door of the pages (learnings contract, section 3.1; teams contract, sections 7 and 8)."""

from __future__ import annotations

from typing import Final

from services.auth.pages.routes import (
    devices,
    home,
    invitations,
    leaving,
    passwords,
    registering,
    second_factor,
    settings,
    signing_in,
)

OPERATIONS: Final = (
    *signing_in.OPERATIONS,
    *registering.OPERATIONS,
    *invitations.OPERATIONS,
    *passwords.OPERATIONS,
    *devices.OPERATIONS,
    *home.OPERATIONS,
    *settings.OPERATIONS,
    *second_factor.OPERATIONS,
    *leaving.OPERATIONS,
)
