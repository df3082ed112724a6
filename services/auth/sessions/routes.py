"""HTTP door of sessions (learnings contract, section 3) and the gateway's question about one."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.sessions import operations
from services.auth.sessions.models import (
    KeyCredential,
    SessionCheck,
    SessionVerdict,
    Token,
    TokenRequest,
)
from services.auth.sessions.operations import Desk, SessionChecks
from shared.api import Call, Empty, Operation, Reply


async def issue_token(call: Call[TokenRequest, Empty]) -> Token:
    """``POST /v1/auth/token`` and ``POST /v1/auth/login``."""
    credential, desk = call.body.credential(), call.resource(Desk)
    if isinstance(credential, KeyCredential):
        return await operations.exchange_key(desk, credential)
    opened = await operations.sign_in(desk, credential, Origin.of(call), operations.LEARNINGS)
    return Token(access_token=opened.access_token, expires_in=opened.expires_in)


async def sign_out(call: Call[Empty, Empty]) -> Reply:
    """``POST /v1/auth/logout``."""
    await operations.sign_out(call.database, call.principal, Origin.of(call))
    return Reply(None)


async def check(call: Call[SessionCheck, Empty]) -> SessionVerdict:
    """``POST /internal/sessions/check``."""
    return await operations.check(call.database, call.resource(SessionChecks), call.body)


def _token(path: str) -> Operation:
    return Operation(
        method="POST",
        path=path,
        endpoint=issue_token,
        summary="Exchange email and password, or an API key, for an access token",
        body=TokenRequest,
        answer=Token,
        public=True,
        no_store=True,
        errors=(401, 403),
        tag="Auth",
    )


OPERATIONS: Final = (
    _token("/v1/auth/token"),
    _token("/v1/auth/login"),
    Operation(
        method="POST",
        path="/v1/auth/logout",
        endpoint=sign_out,
        summary="End the session on every surface",
        answer=None,
        status=204,
        authenticated=True,
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/internal/sessions/check",
        endpoint=check,
        summary="Whether the session of a token holds",
        body=SessionCheck,
        answer=SessionVerdict,
        internal=True,
        no_store=True,
    ),
)
