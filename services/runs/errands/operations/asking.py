"""Having an errand done, and talking with it while it works."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic_core import from_json, to_json

from services.runs.errands.models import (
    PREFIX,
    ErrandFailed,
    ErrandKind,
    Heard,
    State,
)
from services.runs.errands.store import asking
from shared.bus import BroadcastSubscription, Listener, Transport, outbox
from shared.bus.tasks import wait
from shared.contracts.runs import ErrandEnded, ErrandQueued
from shared.db import Connection, Database
from shared.errors import LimitExceeded, NotFound, Unavailable
from shared.ids import new_id
from shared.log import get_logger
from shared.vault import Vault

MOST_OPEN: Final = 20
"""Errands of one organization that have not ended."""

MOST_WISHES: Final = 500
"""That wait for an errand to hear them."""

LARGEST_ORDER: Final = 1024 * 1024
LARGEST_WISH: Final = 256 * 1024
"""Bytes."""

AT_ONCE: Final = 200
"""Words of an errand that are heard in one go."""

POLL: Final = 0.4
"""Seconds after which is looked without a bell."""

PATIENCE: Final = 10.0
"""Seconds after which an errand ends whose caller died without a word."""

WATCHED: Final = 3.0
"""Seconds for which who has just listened counts as watching."""

LEAVING: Final = 3.0
"""Seconds in which a caller who leaves takes his errand with him."""

TIMEOUT: Final = "The browser was not done in time."
CANCELLED: Final = "The browser was stopped."
GONE: Final = "What the browser was doing is not known any more."

log = get_logger()


async def perform(
    database: Database,
    transport: Transport,
    vault: Vault,
    org_id: str,
    *,
    kind: ErrandKind,
    order: Mapping[str, Any],
    seconds: float,
) -> Mapping[str, Any]:
    """Have an errand done, and wait for what comes of it.

    It ends with whoever waits for it: when that task is cancelled, and when the time is up. Nothing
    of it is kept.

    Args:
        database: the service's.
        transport: on which its end is heard.
        vault: seals what it is told.
        org_id: whose errand it is.
        kind: what is done.
        order: what the engine's room of that kind takes; it may hold a password.
        seconds: for all of it, waiting for a worker too.

    Raises:
        ErrandFailed: nothing came of it.
        LimitExceeded: the organization has too many under way.
        Unavailable: the database is away.
    """
    bell = asyncio.Event()
    errand_id = new_id(PREFIX)

    async def on_ended(event: ErrandEnded) -> None:
        if event.errand_id == errand_id:
            bell.set()

    listener = Listener(transport, "runs.errands", (BroadcastSubscription(ErrandEnded, on_ended),))
    async with listener:
        try:
            await _add(database, vault, org_id, errand_id, kind, order, seconds, PATIENCE)
            async with asyncio.timeout(seconds):
                found = await _ended(database, vault, org_id, errand_id, bell)
        except TimeoutError:
            raise ErrandFailed(TIMEOUT, "timeout") from None
        finally:
            await _leave(database, org_id, errand_id)
    if found.status == "done" and found.result is not None:
        return found.result
    if found.status == "cancelled":
        raise ErrandFailed(CANCELLED, "cancelled")
    raise ErrandFailed(found.reason or GONE, found.code or "failed")


async def _ended(
    database: Database, vault: Vault, org_id: str, errand_id: str, bell: asyncio.Event
) -> State:
    while True:
        bell.clear()
        # An answer that a moment without the database withheld comes with the next look.
        with suppress(Unavailable):
            found = await state(database, vault, org_id, errand_id)
            if found.is_over:
                return found
        await wait(bell, POLL)


async def _leave(database: Database, org_id: str, errand_id: str) -> None:
    """Have it end, and forget it; should that fail, it ends when nobody has asked for it."""

    async def leave() -> None:
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(LEAVING):
                await end(database, org_id, errand_id)
                await forget(database, org_id, errand_id)

    # A task of its own, because the caller's is being cancelled.
    task = asyncio.create_task(leave(), name="errand left")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def begin(
    database: Database,
    vault: Vault,
    org_id: str,
    *,
    kind: ErrandKind,
    order: Mapping[str, Any],
    seconds: float,
    patience_s: float = PATIENCE,
) -> str:
    """Have an errand begun, and give its id.

    Args:
        database: the service's.
        vault: seals what it is told.
        org_id: whose errand it is.
        kind: what is done.
        order: what the engine's room of that kind takes.
        seconds: for all of it, waiting for a worker too.
        patience_s: seconds without ``state``, ``tell`` or ``heard`` after which it ends.

    Raises:
        LimitExceeded: the organization has too many under way.
    """
    errand_id = new_id(PREFIX)
    await _add(database, vault, org_id, errand_id, kind, order, seconds, patience_s)
    return errand_id


async def _add(
    database: Database,
    vault: Vault,
    org_id: str,
    errand_id: str,
    kind: ErrandKind,
    order: Mapping[str, Any],
    seconds: float,
    patience_s: float,
) -> None:
    content = to_json(order)
    if len(content) > LARGEST_ORDER:
        raise LimitExceeded("This is more than a browser takes at once")
    async with database.transaction() as connection:
        if await asking.count_open(connection, org_id) >= MOST_OPEN:
            raise LimitExceeded(
                f"This organization has {MOST_OPEN} browsers at work or waiting already"
            )
        sealed = vault.seal(content)
        await asking.add(connection, org_id, errand_id, kind, sealed, seconds, patience_s)
        await outbox.add(connection, ErrandQueued(org_id=org_id, errand_id=errand_id))


async def state(database: Database, vault: Vault, org_id: str, errand_id: str) -> State:
    """Say how an errand stands; who asks wants it to go on.

    Raises:
        NotFound: there is none, or it was forgotten.
    """
    async with database.connection() as connection:
        row = await asking.state(connection, org_id, errand_id)
        if row is None:
            raise NotFound("There is no such errand")
        if row["is_fading"]:
            await asking.want(connection, org_id, errand_id)
    result = None if row["result"] is None else from_json(vault.open(row["result"]))
    return State(row["status"], result, row["reason"], row["code"])


async def tell(
    database: Database, vault: Vault, org_id: str, errand_id: str, content: Mapping[str, Any]
) -> None:
    """Say something to an errand; it hears what is said in that order.

    Raises:
        LimitExceeded: it has not heard what was said before, it has ended, or this is too long.
    """
    written = to_json(content)
    if len(written) > LARGEST_WISH:
        raise LimitExceeded("This is more than a browser takes at once")
    async with database.connection() as connection:
        await asking.watch(connection, org_id, errand_id, WATCHED)
        sealed = vault.seal(written)
        if not await asking.wish(connection, org_id, errand_id, sealed, MOST_WISHES):
            raise LimitExceeded("The browser takes nothing more")


async def heard(
    database: Database, vault: Vault, org_id: str, errand_id: str, after: int = 0
) -> list[Heard]:
    """Give what an errand has told since; who listens counts as watching for a moment.

    Args:
        database: the service's.
        vault: opens it.
        org_id: whose errand it is.
        errand_id: of the errand.
        after: ``Heard.n`` of what was heard last.
    """
    async with database.connection() as connection:
        await asking.watch(connection, org_id, errand_id, WATCHED)
        rows = await asking.told(connection, org_id, errand_id, after, AT_ONCE)
    return [Heard(row["n"], row["slot"], from_json(vault.open(row["content"]))) for row in rows]


async def result(
    connection: Connection, vault: Vault, org_id: str, errand_id: str
) -> dict[str, Any] | None:
    """Give what came of an errand; nobody else gets or amends it until the transaction ends."""
    sealed = await asking.result(connection, org_id, errand_id)
    found: dict[str, Any] | None = None if sealed is None else from_json(vault.open(sealed))
    return found


async def amend(
    connection: Connection, vault: Vault, org_id: str, errand_id: str, result: Mapping[str, Any]
) -> None:
    """Replace what came of an errand, as long as that is kept."""
    await asking.set_result(connection, org_id, errand_id, vault.seal(to_json(result)))


async def end(database: Database, org_id: str, errand_id: str) -> None:
    """Have an errand end, whatever it is doing; its browser closes within seconds."""
    async with database.transaction() as connection:
        status = await asking.cancel(connection, org_id, errand_id)
        if status is not None:
            event = ErrandEnded(org_id=org_id, errand_id=errand_id, status=status)
            await outbox.add(connection, event)


async def forget(database: Database, org_id: str, errand_id: str) -> None:
    """Delete an errand that has ended, with its result and all that was said."""
    async with database.transaction() as connection:
        await asking.forget(connection, org_id, errand_id)


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Forget all errands of an organization; who does one loses it."""
    await asking.forget_organization(connection, org_id)
