"""Counting failed tries: ask before trying, count a failure after, forgive a success.

A right try is asked about twice, before and after: among many at once, one that comes to its end
when the limit is reached already must not succeed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from services.auth.throttles import rules, store
from services.auth.throttles.models import Counted, Limit
from shared.db import Connection, Database
from shared.errors import RateLimited

LOGIN_BY_ACCOUNT: Final = Limit("login.account", 10, timedelta(minutes=5))
"""Wrong passwords for an address of mail, whether or not it has an account."""

LOGIN_BY_ADDRESS: Final = Limit("login.client", 10, timedelta(minutes=5), is_network=True)
"""Wrong passwords from a network address (runs contract, section 3.2).

Only failures count, and no success forgives them: many people may sign in from one address, and
whoever guesses from there cannot wipe the count away by signing in as themselves.
"""

SERVICE_LOGIN_BY_ACCOUNT: Final = Limit("service_login.account", 10, timedelta(minutes=15))
"""Wrong passwords for a service account (agents contract, section 2.3)."""

SERVICE_LOGIN_BY_ADDRESS: Final = Limit(
    "service_login.client", 30, timedelta(minutes=15), is_network=True
)

SECOND_FACTOR: Final = Limit("second_factor", 5, timedelta(minutes=15), block=timedelta(minutes=15))
"""Wrong codes of an account (learnings contract, section 3)."""

USER_CODE_BY_ACCOUNT: Final = Limit("user_code.account", 5, timedelta(minutes=15))
"""Wrong codes of devices that a person typed (learnings contract, section 3.1)."""

USER_CODE_BY_SESSION: Final = Limit("user_code.session", 5, timedelta(minutes=10))
USER_CODE_BY_ADDRESS: Final = Limit("user_code.client", 30, timedelta(minutes=10), is_network=True)

SWEEP_BATCH: Final = 10_000


async def require(connection: Connection, *counted: Counted) -> None:
    """Check that one more try is allowed.

    Raises:
        RateLimited: too many failed; with the true number of seconds to wait.
    """
    found = await store.find(connection, *_columns(counted))
    _refuse_after(rules.seconds_to_wait(rules.paired(counted, found)))


async def fail(database: Database, *counted: Counted) -> None:
    """Count a failure on each.

    Raises:
        RateLimited: this one was over a limit already; it is answered so and not as a failure.
    """
    limits = [one.limit for one in counted]
    async with database.connection() as connection:
        found = await store.add(connection, *_columns(counted), limits)
    _refuse_after(rules.seconds_to_wait(rules.paired(counted, found), over=True))


async def forgive(connection: Connection, *counted: Counted) -> None:
    """Forget the failures of each, because a try was right."""
    await store.delete(connection, *_columns(counted))


async def sweep(database: Database) -> None:
    """Drop counters whose window is over."""
    async with database.connection() as connection:
        while await store.delete_over(connection, SWEEP_BATCH) == SWEEP_BATCH:
            pass


def _columns(counted: Sequence[Counted]) -> tuple[list[str], list[bytes]]:
    return [one.limit.bucket for one in counted], [rules.digest(one) for one in counted]


def _refuse_after(seconds: int) -> None:
    if seconds:
        raise RateLimited(seconds)
