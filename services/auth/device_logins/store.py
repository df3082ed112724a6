"""SQL of device logins. Until somebody approves one, it belongs to no tenant."""

from __future__ import annotations

from datetime import timedelta

from services.auth.device_logins.models import Choice, Grant, Kind, Login, NewLogin, Poll
from shared.db import Connection, Record

_LOGIN = """
    SELECT digest, kind, user_code, client_name, machine_token, client, user_agent, status,
           account_id, created_at, expires_at
      FROM auth.device_login
"""


async def insert(connection: Connection, login: NewLogin, life: timedelta, pace: int) -> bool:
    """Add a device login, which nobody has approved: no org_id yet. False if its code is taken."""
    inserted = await connection.fetchval(
        """
        INSERT INTO auth.device_login (digest, kind, user_code, client_name, machine_token, client,
                                       user_agent, expires_at, pace)
        VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8, $9)
        ON CONFLICT (user_code) DO NOTHING RETURNING true
        """,
        login.digest,
        login.kind,
        login.user_code,
        login.client_name,
        login.machine_token,
        login.client,
        login.user_agent,
        life,
        pace,
    )
    return bool(inserted)


async def count_live(connection: Connection, kind: Kind, cap: int) -> int:
    """Count the device logins of a kind that have not expired, up to a cap.

    Reads all tenants: the limit is the installation's.
    """
    count: int = await connection.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM auth.device_login
                               WHERE kind = $1 AND expires_at > now() LIMIT $2) AS capped
        """,
        kind,
        cap,
    )
    return count


async def lock_machine(connection: Connection, token: str) -> None:
    """Let one request of a machine at a time count and add, until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", token)


async def seconds_of_machine(connection: Connection, token: str) -> list[int]:
    """Give the seconds that each live request of a machine still lives, the shortest first.

    By the time of day: the transaction may have begun long before it got the machine's lock.
    Reads all tenants: a machine belongs to none.
    """
    rows = await connection.fetch(
        """
        SELECT ceil(extract(epoch FROM expires_at - clock_timestamp()))::integer AS seconds
          FROM auth.device_login
         WHERE machine_token = $1 AND expires_at > clock_timestamp() AND status <> 'denied'
         ORDER BY expires_at
        """,
        token,
    )
    return [row["seconds"] for row in rows]


async def find_by_code(connection: Connection, user_code: str) -> Login | None:
    """Find a live device login by its code.

    Reads all tenants: whoever knows the code may look; org_id is what they decide.
    """
    row = await connection.fetchrow(
        _LOGIN + " WHERE user_code = $1 AND expires_at > now()", user_code
    )
    return _login(row)


async def lock_by_code(connection: Connection, user_code: str) -> Login | None:
    """Find a live device login by its code, and lock it.

    Reads all tenants: whoever knows the code may decide; org_id is what they decide.
    """
    row = await connection.fetchrow(
        _LOGIN + " WHERE user_code = $1 AND expires_at > now() FOR UPDATE", user_code
    )
    return _login(row)


async def decide(
    connection: Connection, digest: bytes, status: str, account_id: str, org_id: str | None
) -> None:
    """Note what a person decided, and for which organization."""
    await connection.execute(
        """
        UPDATE auth.device_login SET status = $2, account_id = $3, org_id = $4 WHERE digest = $1
        """,
        digest,
        status,
        account_id,
        org_id,
    )


async def count_failure(connection: Connection, digest: bytes, most: int) -> None:
    """Count an approval that could not be carried out; the last one allowed ends the request.

    Reads all tenants: it belongs to none yet.
    """
    failures = await connection.fetchval(
        """
        UPDATE auth.device_login SET failures = failures + 1
         WHERE digest = $1 AND status = 'pending' RETURNING failures
        """,
        digest,
    )
    if failures is not None and failures >= most:
        await connection.execute("DELETE FROM auth.device_login WHERE digest = $1", digest)


async def poll(
    connection: Connection, digest: bytes, slower_by: int, tolerance: float
) -> Poll | None:
    """Note a poll for a key; one that comes before its time makes the pace slower for good.

    Reads all tenants: the device code is what tells which login is meant, and so its org_id.
    """
    row = await connection.fetchrow(
        """
        WITH found AS (
            SELECT digest, coalesce(
                       polled_at > now() - make_interval(secs => pace - $3::float8), false
                   ) AS early
              FROM auth.device_login WHERE digest = $1 AND kind = 'api_key' FOR UPDATE)
        UPDATE auth.device_login d
           SET polled_at = now(), pace = CASE WHEN found.early THEN pace + $2 ELSE pace END
          FROM found WHERE d.digest = found.digest
        RETURNING d.client_name, d.status, d.expires_at <= now() AS expired, found.early
        """,
        digest,
        slower_by,
        tolerance,
    )
    return None if row is None else Poll(**row)


async def take(connection: Connection, digest: bytes) -> Grant | None:
    """Use an approved login for a key up: of many at once, one gets it.

    ``email`` and the organization are None when the person may not act there any more.
    """
    row = await connection.fetchrow(
        """
        WITH taken AS (
            DELETE FROM auth.device_login
             WHERE digest = $1 AND kind = 'api_key' AND status = 'approved' AND expires_at > now()
            RETURNING client_name, account_id, org_id)
        SELECT taken.client_name, taken.account_id, taken.org_id, a.email, o.name AS org_name,
               o.slug
          FROM taken
          LEFT JOIN auth.membership m
                 ON m.org_id = taken.org_id AND m.account_id = taken.account_id
          LEFT JOIN auth.organization o ON o.id = m.org_id
          LEFT JOIN auth.account a ON a.id = m.account_id
                                  AND a.disabled_at IS NULL
        """,
        digest,
    )
    return None if row is None else Grant(**row)


async def find_of_machine(connection: Connection, digest: bytes, token: str) -> Record | None:
    """Find ``status``, ``account_id`` and ``email`` of a machine's own live request.

    Reads all tenants: a machine is linked to a person, not to an org_id.
    """
    return await connection.fetchrow(
        """
        SELECT d.status, d.account_id, a.email
          FROM auth.device_login d
          LEFT JOIN auth.account a ON a.id = d.account_id
                                  AND a.disabled_at IS NULL
         WHERE d.digest = $1 AND d.machine_token = $2 AND d.expires_at > now()
        """,
        digest,
        token,
    )


async def delete(connection: Connection, digest: bytes) -> bool:
    """Drop a login; False when somebody else did.

    Reads all tenants: the device code is what tells which one is meant.
    """
    deleted = await connection.fetchval(
        "DELETE FROM auth.device_login WHERE digest = $1 RETURNING true", digest
    )
    return bool(deleted)


async def delete_approved(connection: Connection, account_id: str) -> None:
    """Drop the logins that a person approved and no device has collected.

    Reads all tenants: for whichever org_id they approved.
    """
    await connection.execute("DELETE FROM auth.device_login WHERE account_id = $1", account_id)


async def list_choices(connection: Connection, account_id: str) -> list[Choice]:
    """List the organizations for which a person may approve: each org_id they belong to."""
    rows = await connection.fetch(
        """
        SELECT o.id, o.name, m.role
          FROM auth.membership m JOIN auth.organization o ON o.id = m.org_id
         WHERE m.account_id = $1 ORDER BY m.created_at, o.id
        """,
        account_id,
    )
    return [Choice(**row) for row in rows]


async def is_member(connection: Connection, org_id: str, account_id: str) -> bool:
    """Tell whether a person belongs to an organization."""
    found = await connection.fetchval(
        "SELECT true FROM auth.membership WHERE org_id = $1 AND account_id = $2", org_id, account_id
    )
    return bool(found)


async def delete_expired(connection: Connection, limit: int) -> int:
    """Drop logins that expired an hour ago, so that a late poll still hears why; tell how many.

    Reads all tenants: expiry is the same for each.
    """
    rows = await connection.fetch(
        """
        DELETE FROM auth.device_login WHERE ctid IN (
            SELECT ctid FROM auth.device_login
             WHERE kind IN ('api_key', 'machine') AND expires_at < now() - interval '1 hour'
             LIMIT $1)
        RETURNING digest
        """,
        limit,
    )
    return len(rows)


def _login(row: Record | None) -> Login | None:
    return None if row is None else Login(**row)
