"""HTTP door of the first run (runs contract, section 3.2)."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.sessions.operations import Desk
from services.auth.settings import AuthSettings
from services.auth.setup import operations
from services.auth.setup.models import Setup, SetupState
from services.auth.users.models import SignedIn
from shared.api import Call, Empty, Operation

PATH: Final = "/api/v1/auth/setup"


async def read_state(call: Call[Empty, Empty]) -> SetupState:
    """``GET /api/v1/auth/setup``."""
    return SetupState(needs_setup=await operations.needs_setup(call.database))


async def set_up(call: Call[Setup, Empty]) -> SignedIn:
    """``POST /api/v1/auth/setup``."""
    is_open = call.resource(AuthSettings).is_setup_open
    desk, origin = call.resource(Desk), Origin.of(call)
    return await operations.set_up(desk, call.body, is_open=is_open, origin=origin)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path=PATH,
        endpoint=read_state,
        summary="Whether the installation has no administrator yet",
        answer=SetupState,
        public=True,
        tag="Auth",
    ),
    Operation(
        method="POST",
        path=PATH,
        endpoint=set_up,
        summary="Make the first platform administrator",
        body=Setup,
        answer=SignedIn,
        public=True,
        no_store=True,
        errors=(401, 403, 409),
        tag="Auth",
    ),
)
