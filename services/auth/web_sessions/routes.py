"""HTTP door of browsers' sessions: what the teams service asks about a cookie (section 1.1)."""

from __future__ import annotations

from typing import Final

from services.auth.settings import AuthSettings
from services.auth.web_sessions import operations
from services.auth.web_sessions.models import CookieQuestion, CookieVerdict
from shared.api import Call, Empty, Operation


async def check(call: Call[CookieQuestion, Empty]) -> CookieVerdict:
    """``POST /internal/web-sessions/check``."""
    public_url = call.resource(AuthSettings).public_url
    return await operations.check(call.database, call.body.cookie, public_url)


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/internal/web-sessions/check",
        endpoint=check,
        summary="Who is signed in by a browser's cookie",
        body=CookieQuestion,
        answer=CookieVerdict,
        internal=True,
        no_store=True,
    ),
)
