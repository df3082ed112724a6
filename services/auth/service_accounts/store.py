"""SQL of service accounts and of sessions of those without an account.

They belong to no tenant: what they may do and where is said by bindings.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from services.auth.service_accounts.models import NewPrincipalSession, Proof, ServiceAccount
from shared.db import Connection, Record

_COLUMNS = """id, name, description, active, must_change_password, token_version, created_at,
              updated_at, last_login_at"""
_ACCOUNT = f"SELECT {_COLUMNS} FROM auth.service_account"  # noqa: S608 - constants


async def insert(
    connection: Connection,
    account_id: UUID,
    name: str,
    password_hash: str,
    description: str | None,
    must_change_password: bool,
    version: int,
) -> ServiceAccount | None:
    """Add a service account; None when the name is taken."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO auth.service_account
               (id, name, password_hash, description, must_change_password, version)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING RETURNING {_COLUMNS}
        """,  # noqa: S608 - constants
        account_id,
        name,
        password_hash,
        description,
        must_change_password,
        version,
    )
    return _account(row)


async def find_by_id(connection: Connection, account_id: UUID) -> ServiceAccount | None:
    """Find a service account by its id."""
    return _account(await connection.fetchrow(_ACCOUNT + " WHERE id = $1", account_id))


async def find_by_name(connection: Connection, name: str) -> ServiceAccount | None:
    """Find a service account by its name."""
    return _account(await connection.fetchrow(_ACCOUNT + " WHERE name = $1", name))


async def find_proof(connection: Connection, name: str) -> Proof | None:
    """Find what a password of this name is checked against."""
    row = await connection.fetchrow(
        """
        SELECT id AS account_id, password_hash, active, token_version
          FROM auth.service_account WHERE name = $1
        """,
        name,
    )
    return None if row is None else Proof(**row)


async def list_all(connection: Connection, limit: int, offset: int) -> list[ServiceAccount]:
    """Give a page of the service accounts, newest first."""
    rows = await connection.fetch(
        _ACCOUNT + " ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET $2", limit, offset
    )
    return [ServiceAccount(**row) for row in rows]


async def count_all(connection: Connection, cap: int) -> int:
    """Count the service accounts, up to a cap."""
    total: int = await connection.fetchval(
        "SELECT count(*) FROM (SELECT FROM auth.service_account LIMIT $1) AS capped", cap
    )
    return total


async def exists(connection: Connection) -> bool:
    """Tell whether there is any service account."""
    found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM auth.service_account)")
    return found


async def names_with_known_password(connection: Connection) -> list[str]:
    """Give the active service accounts whose password everybody knows."""
    rows = await connection.fetch(
        "SELECT name FROM auth.service_account WHERE must_change_password AND active ORDER BY name"
    )
    return [row["name"] for row in rows]


async def update(
    connection: Connection,
    account_id: UUID,
    description: str | None,
    active: bool,
    token_version: int,
    version: int | None,
) -> ServiceAccount:
    """Change a service account; ``version`` is None where nothing changes for those with copies."""
    row = await connection.fetchrow(
        f"""
        UPDATE auth.service_account
           SET description = $2, active = $3, token_version = $4,
               version = coalesce($5, version), updated_at = now()
         WHERE id = $1 RETURNING {_COLUMNS}
        """,  # noqa: S608 - constants
        account_id,
        description,
        active,
        token_version,
        version,
    )
    assert row is not None  # nobody else changes access meanwhile
    return ServiceAccount(**row)


async def set_password(
    connection: Connection,
    account_id: UUID,
    password_hash: str,
    must_change_password: bool,
    version: int,
) -> None:
    """Set a password; every older session is void."""
    await connection.execute(
        """
        UPDATE auth.service_account
           SET password_hash = $2, must_change_password = $3, token_version = token_version + 1,
               version = $4, updated_at = now()
         WHERE id = $1
        """,
        account_id,
        password_hash,
        must_change_password,
        version,
    )


async def delete(connection: Connection, account_id: UUID) -> None:
    """Drop a service account, and its sessions."""
    await connection.execute("DELETE FROM auth.service_account WHERE id = $1", account_id)


async def note_login(connection: Connection, account_id: UUID, token_version: int) -> bool:
    """Note that somebody signed in; False when the password they proved holds no more."""
    noted = await connection.fetchval(
        """
        UPDATE auth.service_account SET last_login_at = now()
         WHERE id = $1 AND active AND token_version = $2 RETURNING true
        """,
        account_id,
        token_version,
    )
    return bool(noted)


async def insert_session(
    connection: Connection, session: NewPrincipalSession, life: timedelta
) -> None:
    """Add a session of a service account or a subject."""
    await connection.execute(
        """
        INSERT INTO auth.principal_session (id, kind, service_account_id, subject, token_version,
                                            groups, client, user_agent, expires_at)
        VALUES ($1, CASE WHEN $2::uuid IS NULL THEN 'subject' ELSE 'service_account' END, $2, $3,
                $4, $5, $6, $7, now() + $8)
        """,
        session.id,
        session.service_account_id,
        session.subject,
        session.token_version,
        session.groups,
        session.origin.client,
        session.origin.user_agent,
        life,
    )


async def find_standing(connection: Connection, session_id: str, subject: str) -> Record | None:
    """Find ``kind`` and ``groups`` of a session that holds, with its account if it has one."""
    return await connection.fetchrow(
        """
        SELECT s.kind, s.groups
          FROM auth.principal_session s
          LEFT JOIN auth.service_account a ON a.id = s.service_account_id
         WHERE s.id = $1 AND s.subject = $2 AND s.ended_at IS NULL AND s.expires_at > now()
           AND (s.service_account_id IS NULL
                OR (a.active AND a.token_version = s.token_version))
        """,
        session_id,
        subject,
    )


async def end_session(connection: Connection, session_id: str, subject: str) -> bool:
    """End a session; False when it is over already."""
    ended = await connection.fetchval(
        """
        UPDATE auth.principal_session SET ended_at = now()
         WHERE id = $1 AND subject = $2 AND ended_at IS NULL AND expires_at > now() RETURNING true
        """,
        session_id,
        subject,
    )
    return bool(ended)


async def delete_expired_sessions(connection: Connection, limit: int) -> int:
    """Drop sessions that expired a day ago or longer, and tell how many."""
    rows = await connection.fetch(
        """
        DELETE FROM auth.principal_session WHERE ctid IN (
            SELECT ctid FROM auth.principal_session
             WHERE expires_at < now() - interval '1 day' LIMIT $1)
        RETURNING id
        """,
        limit,
    )
    return len(rows)


async def find_person(connection: Connection, account_id: str) -> Record | None:
    """Find ``email``, ``name`` and ``platform_admin`` of a person who may act."""
    return await connection.fetchrow(
        """
        SELECT email, name, platform_admin FROM auth.account
         WHERE id = $1 AND disabled_at IS NULL
        """,
        account_id,
    )


def _account(row: Record | None) -> ServiceAccount | None:
    return None if row is None else ServiceAccount(**row)
