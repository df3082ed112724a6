"""HTTP door of browsers' sessions: what the teams service asks about a cookie (section 1.1)."""

from __future__ import annotations

from typing import Final

from services.auth.sessions.operations import Desk, SessionChecks
from services.auth.settings import AuthSettings
from services.auth.web_sessions import operations
from services.auth.web_sessions.models import (
    CookieQuestion,
    CookieVerdict,
    PersonQuestion,
    PersonVerdict,
)
from shared.api import Call, Empty, Operation


async def check(call: Call[CookieQuestion, Empty]) -> CookieVerdict:
    """``POST /internal/web-sessions/check``."""
    public_url = call.resource(AuthSettings).public_url
    return await operations.check(call.database, call.body.cookie, public_url)


async def check_person(call: Call[PersonQuestion, Empty]) -> PersonVerdict:
    """``POST /internal/people/check``."""
    return await operations.check_person(
        call.resource(Desk), call.resource(SessionChecks), call.body
    )


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
    Operation(
        method="POST",
        path="/internal/people/check",
        endpoint=check_person,
        summary="Who sends a request, by its access token or cookie",
        body=PersonQuestion,
        answer=PersonVerdict,
        internal=True,
        no_store=True,
    ),
)
