"""Applying a signed request once, however often and to whichever process it is sent.

The signature is taken in the transaction of the change itself: a repeat that comes while the first
still runs waits for it in the database, and a process that dies leaves neither or both. What a
signature was used for is kept for longer than it could pass the gateway. Its answer is repeated
until it is not true any more, then the request is judged anew.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from pydantic_core import from_json

from services.teams.machines.operations import Sightings
from services.teams.replays import rules, store
from services.teams.replays.models import Done, Signed
from services.teams.replays.store import drop_of_team, drop_of_token
from shared.api import Call, Endpoint, Reply
from shared.db import Connection, Database
from shared.errors import BadRequest, Internal, ServiceError, Unauthenticated, Unavailable
from shared.log import get_logger
from shared.principal import Kind
from shared.secret import decode_base64url

KEPT: Final = 90
"""Seconds; a signature passes the gateway for 60 at most."""

SWEEP_EVERY: Final = 30.0
SWEPT: Final = 5_000
REPLAYED: Final = {"idempotent-replay": "true"}
USED: Final = "signature already used for another request"

Work = Callable[[Connection], Awaitable[Done]]
SignedEndpoint = Callable[[Call[Any, Any], Signed], Awaitable[Reply]]
Again = Callable[[Connection, str], Awaitable[bytes]]

__all__ = [
    "REPLAYED",
    "drop_of_team",
    "drop_of_token",
    "machine_of",
    "once",
    "read",
    "sweep",
    "sweeping",
]

log = get_logger()


def machine_of(call: Call[Any, Any]) -> str:
    """Give the token of the machine that signed a request, and note that it was seen.

    Raises:
        Unauthenticated: it is no machine that calls.
    """
    if call.principal.kind is not Kind.MACHINE:
        raise Unauthenticated
    call.resource(Sightings).note(call.principal.subject)
    return call.principal.subject


def changing(method: str) -> Callable[[SignedEndpoint], Endpoint]:
    """Make an endpoint of a function that gets the signed request beside the call.

    A request that is refused has used its signature, too: it opens no other route. And one whose
    signature was used for another request hears that, whatever else is wrong with it.

    Args:
        method: of the operation, whose row is ``raw``; upper case.
    """

    def make(endpoint: SignedEndpoint) -> Endpoint:
        async def signed_endpoint(call: Call[Any, Any]) -> Reply:
            signed = await read(call, method)
            try:
                return await endpoint(call, signed)
            except ServiceError as refused:
                if refused.status < Internal.status:
                    async with call.database.statement() as connection:
                        used = await store.note(connection, signed, rules.mark(signed))
                    if used != signed.request:
                        raise Unauthenticated(USED) from None
                raise

        return signed_endpoint

    return make


async def read(call: Call[Any, Any], method: str) -> Signed:
    """Read a signed request, whose body must be a JSON object if it has one.

    Args:
        call: of an operation whose row is ``raw``.
        method: upper case.

    Raises:
        BadRequest: the body is no JSON object, or has a NUL character in it.
        TooLarge: it has more than the row allows.
        Unauthenticated: it is no machine that calls.
    """
    token = machine_of(call)
    raw = b"".join([piece async for piece in call.pieces])
    try:
        signature = decode_base64url(call.headers.get("x-trc-signature", ""))
    except ValueError:
        raise Unauthenticated("missing or invalid signature header") from None
    digest = hashlib.sha256(b"%b %b\n" % (method.encode(), call.target))
    digest.update(raw)
    return Signed(token, signature, digest.digest(), _object(raw) if method != "DELETE" else {})


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = from_json(raw or b"{}", allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"The body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    if b"\\u0000" in raw:
        _refuse_nul(value, "body")
    return value


def _refuse_nul(value: Any, place: str) -> None:
    # PostgreSQL's text cannot hold it.
    if isinstance(value, str) and "\x00" in value:
        raise BadRequest(f"{place} must not contain a NUL character")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_nul(key, f"a key of {place}")
            _refuse_nul(inner, key)
    elif isinstance(value, list):
        for inner in value:
            _refuse_nul(inner, place)


async def once(
    database: Database, signed: Signed, work: Work, *, again: Again | None = None
) -> Reply:
    """Apply a signed request, or repeat its first answer.

    Args:
        database: where ``work`` gets a transaction of.
        signed: the request.
        work: what it asks for; whatever it raises leaves nothing behind.
        again: reads the team anew for a repeat whose answer was not kept; given its id.

    Raises:
        Unauthenticated: the signature was used for another request.
        ServiceError: what ``work`` raises.
    """
    mark = rules.mark(signed)
    async with database.transaction() as connection:
        use = await store.claim(connection, signed, mark)
        if use.request != signed.request:
            raise Unauthenticated(USED)
        if use.status is not None:
            body = rules.unseal(signed, use.body)
            if not body and again is not None and use.team_id is not None:
                body = await again(connection, use.team_id)
            return Reply(body, use.status, REPLAYED)
        done = await work(connection)
        if not done.is_repeated:
            return Reply(done.body, done.status)
        kept = rules.seal(signed, done.body if done.kept is None else done.kept)
        await store.keep(connection, signed, mark, done.status, kept, done.team_id)
    return Reply(done.body, done.status)


async def sweep(database: Database) -> None:
    """Drop signatures that no request can carry any more."""
    dropped = SWEPT
    while dropped == SWEPT:
        async with database.transaction() as connection:
            dropped = await store.delete_old(connection, KEPT, SWEPT)


@asynccontextmanager
async def sweeping(database: Database) -> AsyncIterator[None]:
    """Drop old signatures every half minute, until the context is left."""
    task = asyncio.create_task(_keep_sweeping(database), name="replay sweep")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep_sweeping(database: Database) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        try:
            await sweep(database)
        except Unavailable:
            log.info("sweep postponed", reason="database unavailable")
        except Exception:
            # One that fails must not end the task.
            log.exception("sweep failed")
