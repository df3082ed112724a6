"""HTTP door of lost and changed passwords.

Learnings contract, section 3; runs contract, section 3.2.
"""

from __future__ import annotations

from typing import Final

from services.auth.accounts.models import Sent
from services.auth.audit_events.models import Origin
from services.auth.mail.operations import MailSender
from services.auth.password_resets import operations
from services.auth.password_resets.models import (
    Changed,
    Check,
    Done,
    Forgotten,
    NewPassword,
    PasswordChange,
    Reset,
    RunsPasswordChange,
)
from services.auth.passwords.models import SHORTEST_ON_LEARNINGS
from services.auth.passwords.operations import Passwords, check_new, check_new_on_runs
from services.auth.settings import AuthSettings
from shared.api import Call, Empty, Operation


async def request(call: Call[Forgotten, Empty]) -> Sent:
    """``POST /v1/auth/forgot-password``."""
    mail, settings = call.resource(MailSender), call.resource(AuthSettings)
    await operations.request(
        call.database, mail, settings.public_url, call.body.email, Origin.of(call)
    )
    return Sent()


async def reset(call: Call[NewPassword, Empty]) -> Reset:
    """``POST /v1/auth/reset-password``."""
    await operations.reset(
        call.database,
        call.resource(Passwords),
        call.resource(MailSender),
        call.body.token,
        call.body.new_password,
        Origin.of(call),
    )
    return Reset()


async def change(call: Call[PasswordChange, Empty]) -> Changed:
    """``POST /v1/auth/password``."""
    await _change(call, call.body.current_password, call.body.new_password, _check_on_learnings)
    return Changed()


async def change_on_runs(call: Call[RunsPasswordChange, Empty]) -> Done:
    """``POST /api/v1/auth/password``."""
    await _change(call, call.body.current, call.body.new, _check_on_runs)
    return Done()


async def _change(
    call: Call[PasswordChange, Empty] | Call[RunsPasswordChange, Empty],
    current: str,
    new: str,
    check: Check,
) -> None:
    await operations.change(
        call.database,
        call.resource(Passwords),
        call.resource(MailSender),
        call.principal,
        current,
        new,
        Origin.of(call),
        check,
    )


def _check_on_learnings(password: str, email: str) -> None:
    check_new(password, shortest=SHORTEST_ON_LEARNINGS, field="new_password", email=email)


def _check_on_runs(password: str, email: str) -> None:
    check_new_on_runs(password, field="new", email=email)


def _request(path: str) -> Operation:
    return Operation(
        method="POST",
        path=path,
        endpoint=request,
        summary="Send a letter with which a new password can be set",
        body=Forgotten,
        answer=Sent,
        public=True,
        tag="Auth",
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    _request("/v1/auth/forgot-password"),
    _request("/v1/auth/request-password-reset"),
    Operation(
        method="POST",
        path="/v1/auth/reset-password",
        endpoint=reset,
        summary="Set a new password by the token of a letter; ends every session",
        body=NewPassword,
        answer=Reset,
        public=True,
        errors=(400,),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/password",
        endpoint=change,
        summary="Change one's password; ends one's other sessions",
        body=PasswordChange,
        answer=Changed,
        authenticated=True,
        errors=(401, 403),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/api/v1/auth/password",
        endpoint=change_on_runs,
        summary="Change one's password; ends one's other sessions",
        body=RunsPasswordChange,
        answer=Done,
        authenticated=True,
        errors=(400, 401, 403),
        tag="Auth",
    ),
)
