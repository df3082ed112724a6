"""HTTP door of accounts (learnings contract, section 3; runs contract, section 3.2)."""

from __future__ import annotations

from typing import Final

from services.auth.accounts import operations
from services.auth.accounts.models import (
    Registered,
    Registration,
    Resend,
    Sent,
    User,
    Verification,
    Verified,
)
from services.auth.mail.operations import MailSender
from services.auth.passwords.operations import Passwords
from services.auth.settings import AuthSettings
from shared.api import Call, Empty, Operation


async def register(call: Call[Registration, Empty]) -> Registered:
    """``POST /v1/auth/register``."""
    return await operations.register(
        call.database,
        call.resource(Passwords),
        call.resource(MailSender),
        call.resource(AuthSettings).public_url,
        call.body,
    )


async def verify_email(call: Call[Verification, Empty]) -> Verified:
    """``POST /v1/auth/verify-email``."""
    await operations.verify_email(call.database, call.body.token)
    return Verified()


async def resend_verification(call: Call[Resend, Empty]) -> Sent:
    """``POST /v1/auth/resend-verification``."""
    mail, settings = call.resource(MailSender), call.resource(AuthSettings)
    await operations.resend_verification(call.database, mail, settings.public_url, call.body.email)
    return Sent()


async def read_me(call: Call[Empty, Empty]) -> User:
    """``GET /v1/auth/me`` and ``GET /api/v1/auth/me``."""
    return await operations.read_user(call.database, call.principal)


def _me(path: str) -> Operation:
    return Operation(
        method="GET",
        path=path,
        endpoint=read_me,
        summary="The person behind the credential",
        answer=User,
        authenticated=True,
        tag="Auth",
    )


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/auth/register",
        endpoint=register,
        summary="Create an account; sends a verification email",
        body=Registration,
        answer=Registered,
        status=201,
        public=True,
        no_store=True,
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/verify-email",
        endpoint=verify_email,
        summary="Verify an address by the token of its email",
        body=Verification,
        answer=Verified,
        public=True,
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/resend-verification",
        endpoint=resend_verification,
        summary="Send the verification email again",
        body=Resend,
        answer=Sent,
        public=True,
        tag="Auth",
    ),
    _me("/v1/auth/me"),
    _me("/api/v1/auth/me"),
)
