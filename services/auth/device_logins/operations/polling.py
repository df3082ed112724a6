"""Polling a device login (RFC 8628, section 3.5; teams contract, section 7)."""

from __future__ import annotations

from typing import Final

from services.auth.api_keys import operations as api_keys
from services.auth.audit_events.models import Origin
from services.auth.device_logins import rules, store
from services.auth.device_logins.models import (
    BoundOrganization,
    DeviceKey,
    MachineConfirmed,
    MachinePending,
    TeamCount,
    TokenRequest,
)
from services.auth.machines import operations as machines
from shared.db import Database
from shared.errors import BadRequest, NotFound, Unavailable
from shared.siblings import Siblings

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER_BY: Final = 5
"""Seconds by which the pace grows (RFC 8628, section 3.5)."""

TOLERANCE: Final = 1.0
"""Seconds that a poll may come early, because networks are not even."""

_TEXTS: Final = {
    "authorization_pending": "Nobody has approved this device yet",
    "slow_down": "Polled too fast; wait 5 seconds longer between polls from now on",
    "expired_token": "The code has expired; begin again",
    "access_denied": "The request was denied",
    "invalid_grant": "The device code is unknown or was used already",
    "invalid_client": "The code was given to another client",
    "invalid_request": "device_code is missing",
    "unsupported_grant_type": f"grant_type must be {GRANT_TYPE}",
}


async def poll_key(database: Database, asked: TokenRequest, origin: Origin) -> DeviceKey:
    """Give a device its key once a person has approved; of many polls at once, one gets it.

    Raises:
        BadRequest: not yet, or never; ``error`` says which (RFC 8628, section 3.5).
    """
    if asked.grant_type != GRANT_TYPE:
        raise _refusal("unsupported_grant_type")
    if not asked.device_code:
        raise _refusal("invalid_request")
    digest = rules.digest(asked.device_code)
    async with database.connection() as connection:
        poll = await store.poll(connection, digest, SLOWER_BY, TOLERANCE)
    if poll is None:
        raise _refusal("invalid_grant")
    if poll.client_name != asked.client_id:
        raise _refusal("invalid_client")
    if poll.status == "denied":
        raise _refusal("access_denied")
    if poll.expired:
        raise _refusal("expired_token")
    if poll.status == "pending":
        raise _refusal("slow_down" if poll.early else "authorization_pending")
    key = await _take(database, digest, origin)
    if key is None:
        # Whoever approved may not act there any more; the login is used up all the same.
        raise _refusal("access_denied")
    return key


async def _take(database: Database, digest: bytes, origin: Origin) -> DeviceKey | None:
    async with database.transaction() as connection:
        grant = await store.take(connection, digest)
        if grant is None:
            raise _refusal("invalid_grant")
        if grant.email is None or grant.org_name is None or grant.slug is None:
            return None
        key, _ = await api_keys.create_device_key(
            connection, grant.account_id, grant.org_id, grant.client_name, origin
        )
    bound = BoundOrganization(id=grant.org_id, name=grant.org_name, slug=grant.slug)
    return DeviceKey(
        api_key=key, org_name=grant.org_name, user_email=grant.email, organizations=[bound]
    )


async def poll_machine(
    database: Database, siblings: Siblings, device_code: str, token: str
) -> MachinePending | MachineConfirmed:
    """Tell a machine, once, that it is linked.

    While teams cannot say how many teams there are, the machine waits and the request stays.

    Raises:
        NotFound: unknown, expired, denied, another machine's, or told already.
    """
    digest = rules.digest(device_code)
    async with database.connection() as connection:
        login = await store.find_of_machine(connection, digest, token)
        if login is None or login["status"] == "denied":
            raise NotFound
        if login["status"] == "pending":
            return MachinePending()
        linked = [
            machine.token
            for machine in await machines.list_for(connection, login["account_id"])
            if machine.revoked_at is None
        ]
    if login["email"] is None or token not in linked:
        # Revoked meanwhile, or the account may not act: never confirmed without a link.
        raise NotFound
    try:
        counted = await siblings.ask(
            "teams", "/internal/machines/team-count", {"tokens": linked}, TeamCount
        )
    except Unavailable:
        return MachinePending()
    async with database.connection() as connection:
        if not await store.delete(connection, digest):
            raise NotFound
    return MachineConfirmed(
        email=login["email"], machine_count=len(linked), team_count=counted.team_count
    )


def _refusal(error: str) -> BadRequest:
    return BadRequest(_TEXTS[error], extra={"error": error}, headers={"cache-control": "no-store"})
