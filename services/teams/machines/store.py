"""SQL of machines."""

from __future__ import annotations

from shared.db import Connection


async def lock(connection: Connection, token: str) -> None:
    """Lock a machine's row, made if it is new, so that its memberships change one by one."""
    await connection.execute(
        """
        INSERT INTO teams.machine AS m (token) VALUES ($1)
        ON CONFLICT (token) DO UPDATE SET pushed_at = m.pushed_at
        """,
        token,
    )


async def use_push(connection: Connection, token: str, interval: float) -> bool:
    """Use a machine's allowance of one push; False while the last is younger than ``interval``.

    Args:
        connection: in a transaction, whose end decides whether it is used.
        token: the machine's.
        interval: seconds.
    """
    used = await connection.fetchval(
        """
        INSERT INTO teams.machine AS m (token, pushed_at) VALUES ($1, clock_timestamp())
        ON CONFLICT (token) DO UPDATE SET pushed_at = clock_timestamp()
         WHERE m.pushed_at <= clock_timestamp() - make_interval(secs => $2)
        RETURNING true
        """,
        token,
        interval,
    )
    return bool(used)


async def delete(connection: Connection, token: str) -> None:
    """Forget a machine."""
    await connection.execute("DELETE FROM teams.machine WHERE token = $1", token)
