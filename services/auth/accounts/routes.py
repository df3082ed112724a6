"""HTTP door of accounts (learnings contract, section 3; runs contract, section 3.2)."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.auth.accounts import operations
from services.auth.accounts.models import (
    EmailChange,
    EmailConfirmed,
    MembershipItem,
    ProfileChange,
    Registered,
    Registration,
    Resend,
    Sent,
    User,
    Verification,
    VerificationLink,
    Verified,
)
from services.auth.audit_events.models import Origin
from services.auth.mail.operations import MailSender
from services.auth.passwords.operations import Passwords
from services.auth.settings import AuthSettings
from shared.api import Call, Empty, Operation, Reply
from shared.errors import BadRequest
from shared.pagination import Page, PageQuery


async def register(call: Call[Registration, Empty]) -> Registered:
    """``POST /v1/auth/register``."""
    return await operations.register(
        call.database,
        call.resource(Passwords),
        call.resource(MailSender),
        call.resource(AuthSettings).public_url,
        call.body,
        Origin.of(call),
    )


async def verify_email(call: Call[Verification, Empty]) -> Verified:
    """``POST /v1/auth/verify-email``."""
    await operations.verify_email(call.database, call.body.token, Origin.of(call))
    return Verified()


async def show_verify_page(call: Call[Empty, VerificationLink]) -> Reply:
    """``GET /auth/verify-email``: ask for a click, because mail scanners open links too."""
    return _page(call.query.token, "ask")


async def submit_verify_page(call: Call[Verification, Empty]) -> Reply:
    """``POST /auth/verify-email``: what the page's button does."""
    try:
        await operations.verify_email(call.database, call.body.token, Origin.of(call))
    except BadRequest:
        return _page("", "refused", 400)
    return _page("", "done")


def _page(token: str, state: str, status: int = 200) -> Reply:
    html = _VERIFY_PAGE.render(token=token, state=state, style=_STYLE)
    return Reply(html.encode(), status, _PAGE_HEADERS, "text/html; charset=utf-8")


async def resend_verification(call: Call[Resend, Empty]) -> Sent:
    """``POST /v1/auth/resend-verification``."""
    mail, settings = call.resource(MailSender), call.resource(AuthSettings)
    await operations.resend_verification(call.database, mail, settings.public_url, call.body.email)
    return Sent()


async def read_me(call: Call[Empty, Empty]) -> User:
    """``GET /v1/auth/me`` and ``GET /api/v1/auth/me``."""
    return await operations.read_user(call.database, call.principal)


async def update_me(call: Call[ProfileChange, Empty]) -> User:
    """``PATCH /v1/auth/me``."""
    return await operations.update_user(call.database, call.principal, call.body, Origin.of(call))


async def list_memberships(call: Call[Empty, PageQuery]) -> Page[MembershipItem]:
    """``GET /v1/auth/organizations``."""
    return await operations.list_memberships(call.database, call.principal, call.query)


async def request_email(call: Call[EmailChange, Empty]) -> Sent:
    """``POST /v1/auth/email``."""
    await operations.request_email(
        call.database,
        call.resource(Passwords),
        call.resource(MailSender),
        call.resource(AuthSettings).public_url,
        call.principal,
        call.body,
        Origin.of(call),
    )
    return Sent()


async def confirm_email(call: Call[Verification, Empty]) -> EmailConfirmed:
    """``POST /v1/auth/email/confirm``."""
    await operations.confirm_email(
        call.database,
        call.resource(MailSender),
        call.principal,
        call.body.token,
        Origin.of(call),
    )
    return EmailConfirmed()


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


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
)
_VERIFY_PAGE: Final = _TEMPLATES.get_template("verify_email.html")
_STYLE: Final = (Path(__file__).parent / "page.css").read_text()
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
_PAGE_HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
}

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/auth/verify-email",
        endpoint=show_verify_page,
        summary="The page that the verification email links to",
        query=VerificationLink,
        answer=None,
        public=True,
        page=True,
    ),
    Operation(
        method="POST",
        path="/auth/verify-email",
        endpoint=submit_verify_page,
        summary="Verify an address from the page",
        body=Verification,
        answer=None,
        public=True,
        page=True,
    ),
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
    Operation(
        method="PATCH",
        path="/v1/auth/me",
        endpoint=update_me,
        summary="Change one's name, or the organization that new sessions act in",
        body=ProfileChange,
        answer=User,
        authenticated=True,
        errors=(403, 404),
        tag="Auth",
    ),
    Operation(
        method="GET",
        path="/v1/auth/organizations",
        endpoint=list_memberships,
        summary="The organizations that one belongs to, with one's role in each",
        query=PageQuery,
        answer=Page[MembershipItem],
        authenticated=True,
        errors=(403,),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/email",
        endpoint=request_email,
        summary="Ask to move one's account to another address; sends a letter there",
        body=EmailChange,
        answer=Sent,
        authenticated=True,
        errors=(401, 403),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/email/confirm",
        endpoint=confirm_email,
        summary="Move one's account to the address that the token was mailed to",
        body=Verification,
        answer=EmailConfirmed,
        authenticated=True,
        errors=(400, 403),
        tag="Auth",
    ),
    _me("/v1/auth/me"),
    _me("/api/v1/auth/me"),
)
