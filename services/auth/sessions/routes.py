"""HTTP door of sessions (learnings contract, section 3) and the gateway's question about one."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from services.auth.audit_events.models import Origin
from services.auth.mail.operations import MailSender
from services.auth.sessions import operations
from services.auth.sessions.models import (
    CodeRequest,
    EndedSessions,
    KeyCredential,
    Opened,
    RefreshRequest,
    SessionCheck,
    SessionItem,
    SessionVerdict,
    Token,
    TokenRequest,
    Verified,
)
from services.auth.sessions.operations import Desk, SessionChecks
from services.auth.two_factor.operations import confirm
from shared.api import Call, Empty, Operation, Reply
from shared.errors import Unauthenticated
from shared.pagination import Page, PageQuery


async def issue_token(call: Call[TokenRequest, Empty]) -> Reply:
    """``POST /v1/auth/token`` and ``POST /v1/auth/login``."""
    credential, desk = call.body.credential(), call.resource(Desk)
    if isinstance(credential, KeyCredential):
        return _without_blanks(await operations.exchange_key(desk, credential))
    opened = await operations.sign_in(desk, credential, Origin.of(call), operations.LEARNINGS)
    if credential.code is not None:
        call.resource(MailSender).ring()  # about a recovery code, if it was one
    return _token_of(opened)


async def renew(call: Call[RefreshRequest, Empty]) -> Reply:
    """``POST /v1/auth/refresh``."""
    token = call.body.refresh_token
    return _token_of(await operations.renew(call.resource(Desk), token, Origin.of(call)))


async def verify_code(call: Call[CodeRequest, Empty]) -> Reply:
    """``POST /v1/auth/2fa/verify``: sign in with a challenge, or complete a person's setup."""
    desk, origin, asked = call.resource(Desk), Origin.of(call), call.body
    if asked.challenge_token is None:
        if call.principal.is_anonymous:
            raise Unauthenticated
        codes = await confirm(call.database, desk.vault, call.principal, asked.code, origin)
        answer = Verified(recovery_codes=codes)
    else:
        opened = await operations.sign_in_by_challenge(
            desk, asked.challenge_token, asked.code, origin, operations.LEARNINGS
        )
        answer = Verified(
            access_token=opened.access_token,
            token_type="bearer",  # noqa: S106 - a token's type, not a token
            expires_in=opened.expires_in,
            refresh_token=opened.refresh_token,
        )
    call.resource(MailSender).ring()
    return _without_blanks(answer)


async def sign_out(call: Call[Empty, Empty]) -> Reply:
    """``POST /v1/auth/logout``."""
    await operations.sign_out(call.database, call.principal, Origin.of(call))
    return Reply(None)


async def list_sessions(call: Call[Empty, PageQuery]) -> Page[SessionItem]:
    """``GET /v1/auth/sessions``."""
    return await operations.list_sessions(call.database, call.principal, call.query)


async def end_own(call: Call[Empty, Empty]) -> Reply:
    """``DELETE /v1/auth/sessions/{id}``."""
    await operations.end_own(call.database, call.principal, call.path["id"], Origin.of(call))
    return Reply(None)


async def end_others(call: Call[Empty, Empty]) -> EndedSessions:
    """``DELETE /v1/auth/sessions``."""
    ended = await operations.end_others(call.database, call.principal, Origin.of(call))
    return EndedSessions(ended=ended)


async def check(call: Call[SessionCheck, Empty]) -> SessionVerdict:
    """``POST /internal/sessions/check``."""
    return await operations.check(call.database, call.resource(SessionChecks), call.body)


def _token_of(opened: Opened) -> Reply:
    return _without_blanks(
        Token(
            access_token=opened.access_token,
            expires_in=opened.expires_in,
            refresh_token=opened.refresh_token,
        )
    )


def _without_blanks(answer: BaseModel) -> Reply:
    return Reply(answer.model_dump(exclude_none=True))


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
        path="/v1/auth/refresh",
        endpoint=renew,
        summary="Exchange a refresh token, good once, for a new pair",
        body=RefreshRequest,
        answer=Token,
        public=True,
        no_store=True,
        errors=(401,),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/2fa/verify",
        endpoint=verify_code,
        summary="Complete the setup of a second factor, or a login that asked for its code",
        body=CodeRequest,
        answer=Verified,
        public=True,
        no_store=True,
        errors=(400, 401, 409),
        tag="Auth",
    ),
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
        method="GET",
        path="/v1/auth/sessions",
        endpoint=list_sessions,
        summary="List one's own sessions that hold",
        query=PageQuery,
        answer=Page[SessionItem],
        authenticated=True,
        tag="Auth",
    ),
    Operation(
        method="DELETE",
        path="/v1/auth/sessions",
        endpoint=end_others,
        summary="End all of one's own sessions but the one in use",
        answer=EndedSessions,
        authenticated=True,
        tag="Auth",
    ),
    Operation(
        method="DELETE",
        path="/v1/auth/sessions/{id}",
        endpoint=end_own,
        summary="End one of one's own sessions",
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
