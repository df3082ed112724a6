"""The use case of the counters."""

from __future__ import annotations

from services.auth.organizations.operations import require_platform_admin
from services.auth.stats import store
from services.auth.stats.models import Stats
from shared.db import Database
from shared.principal import Principal


async def read(database: Database, principal: Principal) -> Stats:
    """Count what the installation has.

    Raises:
        Forbidden: the caller is no platform administrator.
    """
    require_platform_admin(principal)
    async with database.connection() as connection:
        counts = {name: await store.count(connection, name) for name in store.COUNTERS}
    numbers = {name: count.number for name, count in counts.items()}
    estimated = [name for name, count in counts.items() if count.is_estimate]
    return Stats(**numbers, estimated=estimated)
