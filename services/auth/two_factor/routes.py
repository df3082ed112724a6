"""HTTP door of second factors (learnings contract, section 3).

``POST /v1/auth/2fa/verify`` may open a session, so it stands among the sessions.
"""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.mail.operations import MailSender
from services.auth.passwords.operations import Passwords
from services.auth.two_factor import operations
from services.auth.two_factor.models import (
    Disabled,
    Disabling,
    Enrolment,
    NewCodes,
    RecoveryCodes,
    TwoFactorState,
)
from shared.api import Call, Empty, Operation
from shared.vault import Vault


async def read_state(call: Call[Empty, Empty]) -> TwoFactorState:
    """``GET /v1/auth/2fa``."""
    return await operations.read_state(call.database, call.principal)


async def enrol(call: Call[Empty, Empty]) -> Enrolment:
    """``POST /v1/auth/2fa/enable``."""
    return await operations.enrol(
        call.database, call.resource(Vault), call.principal, Origin.of(call)
    )


async def disable(call: Call[Disabling, Empty]) -> Disabled:
    """``POST /v1/auth/2fa/disable``."""
    await operations.disable(
        call.database,
        call.resource(Passwords),
        call.resource(Vault),
        call.principal,
        call.body.password,
        call.body.code,
        Origin.of(call),
    )
    call.resource(MailSender).ring()
    return Disabled()


async def renew_codes(call: Call[NewCodes, Empty]) -> RecoveryCodes:
    """``POST /v1/auth/2fa/recovery-codes``."""
    codes = await operations.renew_codes(
        call.database,
        call.resource(Passwords),
        call.resource(Vault),
        call.principal,
        call.body.password,
        Origin.of(call),
    )
    return RecoveryCodes(recovery_codes=codes)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/auth/2fa",
        endpoint=read_state,
        summary="Whether the second factor is on",
        answer=TwoFactorState,
        authenticated=True,
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/2fa/enable",
        endpoint=enrol,
        summary="Begin to set a second factor up; a first code completes it",
        answer=Enrolment,
        authenticated=True,
        no_store=True,
        errors=(409,),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/2fa/disable",
        endpoint=disable,
        summary="Switch the second factor off",
        body=Disabling,
        answer=Disabled,
        authenticated=True,
        errors=(409,),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/2fa/recovery-codes",
        endpoint=renew_codes,
        summary="Replace the recovery codes",
        body=NewCodes,
        answer=RecoveryCodes,
        authenticated=True,
        no_store=True,
        errors=(409,),
        tag="Auth",
    ),
)
