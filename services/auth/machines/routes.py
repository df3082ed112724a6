"""HTTP door of machines (teams contract, sections 1.1 and 8)."""

from __future__ import annotations

from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.machines import operations
from services.auth.machines.models import (
    AccountMachines,
    AccountQuestion,
    MachineCheck,
    MachineOwners,
    Revoked,
    RevokedMachine,
    TokenQuestion,
    TokensQuestion,
)
from services.auth.settings import AuthSettings
from services.auth.web_sessions.operations import changer_of
from shared.api import Call, Empty, Operation
from shared.siblings import Siblings


async def revoke(call: Call[Empty, Empty]) -> Revoked:
    """``DELETE /api/account/machines/{token}``."""
    public_url = call.resource(AuthSettings).public_url
    person = await changer_of(call.database, call.principal, call.headers, public_url)
    await operations.revoke(
        call.database, call.resource(Siblings), call.path["token"], person, Origin.of(call)
    )
    return Revoked()


async def check(call: Call[TokenQuestion, Empty]) -> MachineCheck:
    """``POST /internal/machines/check``."""
    return await operations.check(call.database, call.body.token)


async def owners(call: Call[TokensQuestion, Empty]) -> MachineOwners:
    """``POST /internal/machines/owners``."""
    return await operations.owners(call.database, call.body.tokens)


async def machines_of(call: Call[AccountQuestion, Empty]) -> AccountMachines:
    """``POST /internal/accounts/machines``."""
    return await operations.machines_of(call.database, call.body.account_id)


async def revoke_itself(call: Call[TokenQuestion, Empty]) -> RevokedMachine:
    """``POST /internal/machines/revoke``."""
    revoked = await operations.revoke_itself(
        call.database, call.body.token, call.principal, Origin.of(call)
    )
    return RevokedMachine(revoked=revoked)


OPERATIONS: Final = (
    Operation(
        method="DELETE",
        path="/api/account/machines/{token}",
        endpoint=revoke,
        personal=True,
        summary="Revoke a machine of one's own",
        answer=Revoked,
        public=True,
        errors=(401, 403, 404, 503),
        tag="Account",
    ),
    Operation(
        method="POST",
        path="/internal/machines/check",
        endpoint=check,
        summary="Whose machine a token is",
        body=TokenQuestion,
        answer=MachineCheck,
        internal=True,
        no_store=True,
    ),
    Operation(
        method="POST",
        path="/internal/machines/owners",
        endpoint=owners,
        summary="Whose machines some tokens are",
        body=TokensQuestion,
        answer=MachineOwners,
        internal=True,
        no_store=True,
    ),
    Operation(
        method="POST",
        path="/internal/accounts/machines",
        endpoint=machines_of,
        summary="The linked machines of an account",
        body=AccountQuestion,
        answer=AccountMachines,
        internal=True,
        no_store=True,
    ),
    Operation(
        method="POST",
        path="/internal/machines/revoke",
        endpoint=revoke_itself,
        summary="Revoke a machine that erased itself",
        body=TokenQuestion,
        answer=RevokedMachine,
        internal=True,
        no_store=True,
    ),
)
