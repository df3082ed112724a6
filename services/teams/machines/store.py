"""SQL of machines."""

from __future__ import annotations

from collections.abc import Sequence

from shared.db import Connection


async def lock(connection: Connection, token: str, link_version: int = 0) -> int:
    """Lock a machine's row, made if it is new, so that its memberships change one by one.

    Gives the version of its link that is known now: if it is above the one that auth told, then a
    revocation was heard of since, and the answer is out of date.

    Args:
        connection: in a transaction.
        token: the machine's.
        link_version: of its link to an account, where auth was asked because the machine is to
            become a member; an event about a change up to that one will end nothing.
    """
    known: int = await connection.fetchval(
        """
        INSERT INTO teams.machine AS m (token, link_version) VALUES ($1, $2)
        ON CONFLICT (token) DO UPDATE SET link_version = greatest(m.link_version, $2)
        RETURNING link_version
        """,
        token,
        link_version,
    )
    return known


async def lock_all(connection: Connection, tokens: Sequence[str]) -> None:
    """Lock the rows of several machines, as far as they have one."""
    await connection.fetch(
        """
        SELECT true FROM teams.machine WHERE token = ANY($1::text[]) ORDER BY token FOR UPDATE
        """,
        tokens,
    )


async def take_revocation(connection: Connection, token: str, link_version: int) -> bool:
    """Lock a machine's row and note a change of its link; False if a later one is known."""
    taken = await connection.fetchval(
        """
        INSERT INTO teams.machine AS m (token, link_version) VALUES ($1, $2)
        ON CONFLICT (token) DO UPDATE SET link_version = $2 WHERE m.link_version < $2
        RETURNING true
        """,
        token,
        link_version,
    )
    return bool(taken)


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
