"""The SQL of company rows.

Copies are numbered under the lock of the counter's only row, so that commit order is number order.
"""

from __future__ import annotations

from typing import Final

from shared.db import Connection

WITHDRAWN: Final = "(withdrawn)"
"""What a copy says once it is no longer shared: clients want some text."""


async def concerns(connection: Connection, org_id: str, learning_id: str) -> bool:
    """Tell whether a learning is shared, or was."""
    found = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM learnings.learning
                        WHERE org_id = $1 AND id = $2 AND tier = 'company')
            OR EXISTS (SELECT FROM learnings.company_learning
                        WHERE org_id = $1 AND learning_id = $2)
        """,
        org_id,
        learning_id,
    )
    return bool(found)


async def lock(connection: Connection) -> int:
    """Let nobody else number copies until the transaction ends; give the newest number."""
    sequence: int = await connection.fetchval(
        "SELECT sequence FROM learnings.company_counter FOR UPDATE"
    )
    return sequence


async def count_to(connection: Connection, sequence: int) -> None:
    """Write the newest number down."""
    await connection.execute("UPDATE learnings.company_counter SET sequence = $1", sequence)


async def copy(
    connection: Connection, org_id: str, learning_id: str, feed_id: str, sequence: int
) -> bool:
    """Make the copy of a shared learning as that is now; False where nothing had to change.

    One that is retired before it was ever shared is not.
    """
    made = await connection.fetchval(
        """
        INSERT INTO learnings.company_learning AS c (org_id, learning_id, feed_id, summary, detail,
               tags, impact, status, type, company_seq)
        SELECT l.org_id, l.id, $3, l.summary, l.detail, l.tags, l.impact, l.status, l.type, $4
          FROM learnings.learning AS l
         WHERE l.org_id = $1 AND l.id = $2 AND l.tier = 'company' AND l.duplicate_of IS NULL
           AND (l.status IN ('active', 'resolved')
                OR EXISTS (SELECT FROM learnings.company_learning AS k
                            WHERE k.org_id = $1 AND k.learning_id = $2 AND NOT k.withdrawn))
        ON CONFLICT (org_id, learning_id) DO UPDATE
           SET summary = excluded.summary, detail = excluded.detail, tags = excluded.tags,
               impact = excluded.impact, status = excluded.status, type = excluded.type,
               company_seq = excluded.company_seq, withdrawn = false,
               server_clock = c.server_clock + 1, updated_at = now()
         WHERE c.withdrawn
            OR (c.summary, c.detail, c.tags, c.impact, c.status, c.type) IS DISTINCT FROM
               (excluded.summary, excluded.detail, excluded.tags, excluded.impact,
                excluded.status, excluded.type)
        RETURNING true
        """,
        org_id,
        learning_id,
        feed_id,
        sequence,
    )
    return bool(made)


async def withdraw(connection: Connection, org_id: str, learning_id: str, sequence: int) -> bool:
    """Take back the copy of a learning that is shared no longer; False where there is none."""
    taken = await connection.fetchval(
        """
        UPDATE learnings.company_learning AS c
           SET summary = $4, detail = '', tags = '{}', status = 'obsolete', withdrawn = true,
               server_clock = c.server_clock + 1, company_seq = $3, updated_at = now()
         WHERE c.org_id = $1 AND c.learning_id = $2 AND NOT c.withdrawn
           AND NOT EXISTS (SELECT FROM learnings.learning AS l
                            WHERE l.org_id = $1 AND l.id = $2 AND l.tier = 'company'
                              AND l.duplicate_of IS NULL)
        RETURNING true
        """,
        org_id,
        learning_id,
        sequence,
        WITHDRAWN,
    )
    return bool(taken)


async def forget(connection: Connection, org_id: str, sequence: int) -> int:
    """Take back all copies of an organization, and its name off them; give how many.

    Those taken back before lose the name too.
    """
    rows = await connection.fetch(
        """
        WITH numbered AS (
            SELECT learning_id, row_number() OVER (ORDER BY company_seq) AS place
              FROM learnings.company_learning WHERE org_id = $1
        )
        UPDATE learnings.company_learning AS c
           SET org_id = '', summary = $3, detail = '', tags = '{}', status = 'obsolete',
               withdrawn = true, server_clock = c.server_clock + 1,
               company_seq = $2 + numbered.place, updated_at = now()
          FROM numbered WHERE c.org_id = $1 AND c.learning_id = numbered.learning_id
        RETURNING c.company_seq
        """,
        org_id,
        sequence,
        WITHDRAWN,
    )
    return len(rows)


async def astray(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """Find learnings whose copy is not as it should be, although nobody said so.

    Reads all tenants: copies are the installation's. Walks the shared learnings, which are few.
    """
    rows = await connection.fetch(
        """
        SELECT l.org_id, l.id FROM learnings.learning AS l
          LEFT JOIN learnings.company_learning AS c ON c.org_id = l.org_id AND c.learning_id = l.id
         WHERE l.tier = 'company'
           AND CASE WHEN l.duplicate_of IS NOT NULL THEN NOT coalesce(c.withdrawn, true)
                    WHEN c.learning_id IS NULL OR c.withdrawn
                    THEN l.status IN ('active', 'resolved')
                    ELSE (c.summary, c.detail, c.tags, c.impact, c.status, c.type)
                         IS DISTINCT FROM
                         (l.summary, l.detail, l.tags, l.impact, l.status, l.type) END
         LIMIT $1
        """,
        limit,
    )
    return [(row["org_id"], row["id"]) for row in rows]
