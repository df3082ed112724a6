"""Beginning a device login (learnings contract, section 3.1; teams contract, section 7)."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from services.auth.audit_events.models import Origin
from services.auth.device_logins import rules, store
from services.auth.device_logins.models import DeviceCode, Kind, MachineCode, NewLogin
from shared.db import Connection, Database
from shared.errors import BadRequest, RateLimited, Unavailable
from shared.secret import encode_base64url

LIFE: Final = timedelta(seconds=900)
PACE: Final = 5
"""Seconds between two polls."""

MOST: Final = 10_000
"""Live logins of a kind in the whole installation."""

MOST_OF_MACHINE: Final = 3
AT_CAPACITY: Final = "service temporarily at capacity"
TOO_MANY: Final = "too many pending requests for this token"


async def begin_for_key(
    database: Database, public_url: str, client_id: str, origin: Origin
) -> DeviceCode:
    """Begin a login that ends with an API key.

    Raises:
        BadRequest: the client's id is not one.
        Unavailable: too many logins wait.
    """
    if rules.CLIENT_ID.fullmatch(client_id) is None:
        message = "client_id must be 1 to 64 letters, digits, dots, dashes or underscores"
        raise BadRequest(message, extra={"error": "invalid_client"})
    device_code = encode_base64url(secrets.token_bytes(32))
    async with database.transaction() as connection:
        user_code = await _add(connection, "api_key", device_code, client_id, None, origin)
    page = f"{public_url}/device"
    return DeviceCode(
        device_code=device_code,
        user_code=user_code,
        verification_uri=page,
        verification_uri_complete=f"{page}?code={user_code}",
        interval=PACE,
        expires_in=int(LIFE.total_seconds()),
    )


async def begin_for_machine(
    database: Database, public_url: str, token: str, origin: Origin
) -> MachineCode:
    """Begin a login that ends with the machine linked to an account.

    Raises:
        RateLimited: the machine has three live requests.
        Unavailable: too many logins wait.
    """
    device_code = secrets.token_hex(32)
    async with database.transaction() as connection:
        await store.lock_machine(connection, token)
        live = await store.seconds_of_machine(connection, token)
        if len(live) >= MOST_OF_MACHINE:
            raise RateLimited(live[0], TOO_MANY)
        user_code = await _add(connection, "machine", device_code, "teamrc", token, origin)
    return MachineCode(
        device_code=device_code,
        user_code=user_code,
        verification_url=f"{public_url}/auth/verify",
        expires_in=int(LIFE.total_seconds()),
        interval=PACE,
    )


async def _add(
    connection: Connection,
    kind: Kind,
    device_code: str,
    client_name: str,
    token: str | None,
    origin: Origin,
) -> str:
    """Add a login and give its user code."""
    if await store.count_live(connection, kind, MOST) >= MOST:
        raise Unavailable(AT_CAPACITY)
    while True:
        code = rules.user_code(secrets.token_bytes(8))
        login = NewLogin(
            rules.digest(device_code),
            kind,
            code,
            client_name,
            token,
            origin.client,
            origin.user_agent,
        )
        if await store.insert(connection, login, LIFE, PACE):
            return code
