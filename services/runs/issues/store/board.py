"""SQL of the board as people use it, and of forgetting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.runs.issues.models import (
    AUTOMATIC,
    FORGOTTEN,
    SHOWN,
    Activity,
    Comment,
    Editable,
    External,
    Issue,
    IssueItem,
    key_of,
)
from shared.db import Connection, Record

TIMEOUT: Final = 280.0
"""Seconds that one statement of forgetting may take."""

_SHOWN: Final = """
    number, title, severity, status, suite_id, case_id, file, fingerprint, occurrences, first_seen,
    last_seen, run_id, external::text, comment_count
"""

_FILTER: Final = """
     WHERE org_id = $1 AND ($2::text IS NULL OR status = $2)
       AND ($3::text IS NULL OR strpos(words, $3) > 0)
"""


def _fields(row: Record) -> dict[str, Any]:
    plain = dict(row)
    return plain | {"id": key_of(plain.pop("number")), "external": json.loads(row["external"])}


async def page(
    connection: Connection,
    org_id: str,
    status: str | None,
    words: str | None,
    limit: int,
    offset: int,
) -> list[IssueItem]:
    """Give a page of issues, seen last first."""
    rows = await connection.fetch(
        f"""
        SELECT {_SHOWN} FROM runs.issue {_FILTER}
         ORDER BY last_seen DESC, number DESC LIMIT $4 OFFSET $5
        """,  # noqa: S608 - constants
        org_id,
        status,
        words,
        limit,
        offset,
    )
    return [IssueItem.model_validate(_fields(row)) for row in rows]


async def count(
    connection: Connection, org_id: str, status: str | None, words: str | None, cap: int
) -> int:
    """Count issues, up to a cap."""
    found: int = await connection.fetchval(
        f"SELECT count(*) FROM (SELECT FROM runs.issue {_FILTER} LIMIT $4) AS capped",  # noqa: S608
        org_id,
        status,
        words,
        cap,
    )
    return found


async def find(connection: Connection, org_id: str, number: int) -> Issue | None:
    """Find an issue with its newest comments and activities, each oldest first."""
    row = await connection.fetchrow(
        f"SELECT {_SHOWN}, body_md FROM runs.issue WHERE org_id = $1 AND number = $2",  # noqa: S608
        org_id,
        number,
    )
    if row is None:
        return None
    comments = await connection.fetch(
        """
        SELECT id, is_automatic, account_id, body, created_at FROM runs.issue_comment
         WHERE org_id = $1 AND number = $2 ORDER BY position DESC LIMIT $3
        """,
        org_id,
        number,
        SHOWN,
    )
    activity = await connection.fetch(
        """
        SELECT ts, is_automatic, account_id, kind, before, after, run_id FROM runs.issue_activity
         WHERE org_id = $1 AND number = $2 ORDER BY position DESC LIMIT $3
        """,
        org_id,
        number,
        SHOWN,
    )
    done = [Activity.model_validate(dict(one) | {"actor": _author(one)}) for one in activity]
    return Issue.model_validate(
        _fields(row)
        | {"comments": [_comment(one) for one in comments[::-1]], "activity": done[::-1]}
    )


def _author(row: Record) -> str:
    return AUTOMATIC if row["is_automatic"] else row["account_id"] or FORGOTTEN


def _comment(row: Record) -> Comment:
    return Comment(
        id=row["id"], author=_author(row), body=row["body"], created_at=row["created_at"]
    )


async def lock(connection: Connection, org_id: str, number: int) -> Editable | None:
    """Find what of an issue may be changed, and keep others from changing it."""
    row = await connection.fetchrow(
        """
        SELECT number, title, severity, status, body_md, suite_id, case_id, file, fingerprint,
               root_cause, evidence::text, comment_count, version
          FROM runs.issue WHERE org_id = $1 AND number = $2 FOR UPDATE
        """,
        org_id,
        number,
    )
    if row is None:
        return None
    return Editable(**(dict(row) | {"evidence": tuple(json.loads(row["evidence"]))}))


async def change(
    connection: Connection,
    org_id: str,
    number: int,
    fields: Mapping[str, str],
    words: str,
) -> int:
    """Write the fields that a person changed; give the issue's new version."""
    version: int = await connection.fetchval(
        """
        UPDATE runs.issue
           SET title = coalesce($3, title), severity = coalesce($4, severity),
               status = coalesce($5, status), body_md = coalesce($6, body_md), words = $7,
               version = version + 1
         WHERE org_id = $1 AND number = $2 RETURNING version
        """,
        org_id,
        number,
        fields.get("title"),
        fields.get("severity"),
        fields.get("status"),
        fields.get("body_md"),
        words,
    )
    return version


async def note_activity(
    connection: Connection,
    org_id: str,
    number: int,
    account_id: str,
    changes: Mapping[str, tuple[str | None, str | None]],
) -> None:
    """Note what a person changed, by field from what to what."""
    await connection.execute(
        """
        INSERT INTO runs.issue_activity
               (org_id, number, is_automatic, account_id, kind, before, after)
        SELECT $1, $2, false, $3, * FROM unnest($4::text[], $5::text[], $6::text[])
        """,
        org_id,
        number,
        account_id,
        list(changes),
        [before for before, _ in changes.values()],
        [after for _, after in changes.values()],
    )


async def comment(
    connection: Connection, org_id: str, number: int, comment_id: str, account_id: str, body: str
) -> Comment:
    """Add a person's comment; the transaction holds the issue's row."""
    row = await connection.fetchrow(
        """
        WITH counted AS (
            UPDATE runs.issue SET comment_count = comment_count + 1
             WHERE org_id = $1 AND number = $2)
        INSERT INTO runs.issue_comment (org_id, number, id, is_automatic, account_id, body)
        VALUES ($1, $2, $3, false, $4, $5)
        RETURNING id, is_automatic, account_id, body, created_at
        """,
        org_id,
        number,
        comment_id,
        account_id,
        body,
    )
    assert row is not None  # an INSERT of one row gives one
    return _comment(row)


async def last_word(connection: Connection, org_id: str, number: int) -> str:
    """Give what a person commented last; empty if nobody did."""
    body: str | None = await connection.fetchval(
        """
        SELECT body FROM runs.issue_comment
         WHERE org_id = $1 AND number = $2 AND NOT is_automatic ORDER BY position DESC LIMIT 1
        """,
        org_id,
        number,
    )
    return body or ""


async def lock_external(connection: Connection, org_id: str, number: int) -> list[External] | None:
    """Give where an issue stands elsewhere, and hold it; None if it is gone."""
    text: str | None = await connection.fetchval(
        "SELECT external::text FROM runs.issue WHERE org_id = $1 AND number = $2 FOR UPDATE",
        org_id,
        number,
    )
    return None if text is None else [External.model_validate(one) for one in json.loads(text)]


async def write_external(
    connection: Connection, org_id: str, number: int, external: Sequence[External]
) -> None:
    """Write where a locked issue stands elsewhere."""
    await connection.execute(
        "UPDATE runs.issue SET external = $3::json WHERE org_id = $1 AND number = $2",
        org_id,
        number,
        json.dumps([one.model_dump() for one in external]),
    )


async def delete_filings(connection: Connection, org_id: str, run_id: str) -> None:
    """Forget which issues a run filed; the issues stay."""
    await connection.execute(
        "DELETE FROM runs.issue_filing WHERE org_id = $1 AND run_id = $2", org_id, run_id
    )


async def delete_all(connection: Connection, org_id: str) -> None:
    """Delete an organization's board, with all that hangs on its issues."""
    for table in ("issue", "issue_board"):
        await connection.execute(
            f"DELETE FROM runs.{table} WHERE org_id = $1",  # noqa: S608 - of the constants above
            org_id,
            timeout=TIMEOUT,
        )


async def forget_author(connection: Connection, account_id: str) -> None:
    """Take a person's name off comments and activities; what they wrote stays.

    Reads all tenants: a person may have written in several.
    """
    for table in ("issue_comment", "issue_activity"):
        await connection.execute(
            f"UPDATE runs.{table} SET account_id = ''"  # noqa: S608 - of the constants above
            " WHERE account_id = $1 AND account_id <> ''",
            account_id,
            timeout=TIMEOUT,
        )
