"""HTTP door of device logins (learnings contract, section 3.1; teams contract, section 7)."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.device_logins import operations
from services.auth.device_logins.models import (
    Approved,
    CodeQuery,
    CodeRequest,
    Decision,
    Denied,
    DeviceCode,
    DeviceKey,
    MachineCode,
    MachineConfirmed,
    MachinePending,
    MachineRequest,
    PendingLogin,
    TokenRequest,
)
from services.auth.machines.operations import shown_token
from services.auth.settings import AuthSettings
from shared.api import Call, Empty, Operation
from shared.errors import Unauthenticated
from shared.principal import Kind
from shared.siblings import Siblings


async def begin_for_key(call: Call[CodeRequest, Empty]) -> DeviceCode:
    """``POST /v1/auth/device/code``."""
    public_url = call.resource(AuthSettings).public_url
    return await operations.begin_for_key(
        call.database, public_url, call.body.client_id, Origin.of(call)
    )


async def poll_key(call: Call[TokenRequest, Empty]) -> DeviceKey:
    """``POST /v1/auth/device/token``."""
    return await operations.poll_key(call.database, call.body, Origin.of(call))


async def decide(call: Call[Decision, Empty]) -> Approved | Denied:
    """``POST /v1/auth/device/approve``."""
    call.principal.require_person()
    return await operations.decide(call.database, call.body, call.principal, Origin.of(call))


async def read_pending(call: Call[Empty, CodeQuery]) -> PendingLogin:
    """``GET /v1/auth/device/pending``."""
    call.principal.require_person()
    found = await operations.look(
        call.database, call.query.user_code, call.principal, Origin.of(call)
    )
    return PendingLogin(
        kind=found.kind,
        status=found.status,
        user_code=found.user_code,
        client_name=found.client_name,
        machine_token=shown_token(found.machine_token) if found.machine_token else None,
        client=found.client,
        user_agent=found.user_agent,
        created_at=found.created_at,
        expires_at=found.expires_at,
    )


async def begin_for_machine(call: Call[MachineRequest, Empty]) -> MachineCode:
    """``POST /api/auth/device``; the gateway has verified the signature."""
    token = _machine(call)
    if call.body.token not in (None, token):
        raise Unauthenticated("token does not match signing key")
    public_url = call.resource(AuthSettings).public_url
    return await operations.begin_for_machine(call.database, public_url, token, Origin.of(call))


async def poll_machine(call: Call[Empty, Empty]) -> MachinePending | MachineConfirmed:
    """``GET /api/auth/device/{device_code}``; the gateway has verified the signature."""
    token, siblings = _machine(call), call.resource(Siblings)
    return await operations.poll_machine(call.database, siblings, call.path["device_code"], token)


def _machine(call: Call[MachineRequest, Empty] | Call[Empty, Empty]) -> str:
    if call.principal.kind is not Kind.MACHINE:
        raise Unauthenticated
    return call.principal.subject


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/auth/device/code",
        endpoint=begin_for_key,
        summary="Begin the login of a device (RFC 8628)",
        body=CodeRequest,
        answer=DeviceCode,
        public=True,
        no_store=True,
        names_errors=True,
        errors=(400, 503),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/device/token",
        endpoint=poll_key,
        summary="Ask whether a device was approved; its key is given once",
        body=TokenRequest,
        answer=DeviceKey,
        public=True,
        no_store=True,
        names_errors=True,
        errors=(400,),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/v1/auth/device/approve",
        endpoint=decide,
        summary="Approve or deny a device by the code that it shows",
        body=Decision,
        answer=Approved,
        authenticated=True,
        no_store=True,
        errors=(400, 404, 409),
        tag="Auth",
    ),
    Operation(
        method="GET",
        path="/v1/auth/device/pending",
        endpoint=read_pending,
        summary="What asks for approval by a code",
        query=CodeQuery,
        answer=PendingLogin,
        authenticated=True,
        no_store=True,
        errors=(400,),
        tag="Auth",
    ),
    Operation(
        method="POST",
        path="/api/auth/device",
        endpoint=begin_for_machine,
        summary="Begin linking a machine to an account",
        body=MachineRequest,
        answer=MachineCode,
        authenticated=True,
        no_store=True,
        errors=(429, 503),
        tag="Devices",
    ),
    Operation(
        method="GET",
        path="/api/auth/device/{device_code}",
        endpoint=poll_machine,
        summary="Ask whether a machine was linked; the answer is given once",
        answer=MachineConfirmed,
        authenticated=True,
        no_store=True,
        errors=(404,),
        tag="Devices",
    ),
)
