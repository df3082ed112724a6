"""The SQL of suites."""

from __future__ import annotations

from collections.abc import Sequence

from services.runs.suites.models import (
    Draft,
    LastRun,
    Row,
    Shown,
    SuiteItem,
    SuiteText,
    VersionDetail,
    VersionItem,
)
from shared.db import Connection


async def lock(connection: Connection, org_id: str, file: str) -> None:
    """Keep others from writing this file until the transaction ends; it need not be there."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('runs.suite:' || $1 || '/' || $2, 0))",
        org_id,
        file,
    )


async def taken(connection: Connection, org_id: str, files: Sequence[str]) -> set[str]:
    """Give those of some files that are there, or were."""
    rows = await connection.fetch(
        """
        SELECT file FROM runs.suite_version
         WHERE org_id = $1 AND file = ANY ($2::text[]) AND n = 1
        """,
        org_id,
        list(files),
    )
    return {row["file"] for row in rows}


async def find(connection: Connection, org_id: str, file: str) -> Row | None:
    """Find a suite."""
    row = await connection.fetchrow(
        """
        SELECT file, suite_id, version, etag FROM runs.suite WHERE org_id = $1 AND file = $2
        """,
        org_id,
        file,
    )
    return None if row is None else Row(**row)


async def show(connection: Connection, org_id: str, file: str) -> Shown | None:
    """Find a suite with its text."""
    row = await connection.fetchrow(
        """
        SELECT s.file, s.suite_id, s.version, s.etag, v.text, s.cases, s.warnings, s.updated_at
          FROM runs.suite AS s
          JOIN runs.suite_version AS v
            ON v.org_id = s.org_id AND v.file = s.file AND v.n = s.version
         WHERE s.org_id = $1 AND s.file = $2
        """,
        org_id,
        file,
    )
    return None if row is None else Shown(**row)


async def find_text(connection: Connection, org_id: str, file: str) -> SuiteText | None:
    """Find a suite's newest text."""
    row = await connection.fetchrow(
        """
        SELECT s.file, s.suite_id, s.name, s.version, s.etag, v.text
          FROM runs.suite AS s
          JOIN runs.suite_version AS v
            ON v.org_id = s.org_id AND v.file = s.file AND v.n = s.version
         WHERE s.org_id = $1 AND s.file = $2
        """,
        org_id,
        file,
    )
    return None if row is None else SuiteText(**row)


async def text_of(connection: Connection, org_id: str, file: str, version: int) -> str | None:
    """Find one of a suite's texts, also of a deleted one's."""
    text: str | None = await connection.fetchval(
        "SELECT text FROM runs.suite_version WHERE org_id = $1 AND file = $2 AND n = $3",
        org_id,
        file,
        version,
    )
    return text


async def write(connection: Connection, org_id: str, file: str, draft: Draft, author: str) -> int:
    """Make a text the newest of a file, which is locked; give the number of its version."""
    version: int = await connection.fetchval(
        """
        WITH made AS (
            INSERT INTO runs.suite_version (org_id, file, n, etag, author, text)
            SELECT $1, $2, coalesce(max(n), 0) + 1, $3, $4, $5
              FROM runs.suite_version WHERE org_id = $1 AND file = $2
            RETURNING n)
        INSERT INTO runs.suite (org_id, file, suite_id, name, base_url, version, etag,
                                case_count, tags, cases, warnings, updated_by)
        SELECT $1, $2, $6, $7, $8, made.n, $3, $9, $10, $11::json, $12::json, $4 FROM made
        ON CONFLICT (org_id, file) DO UPDATE
           SET suite_id = excluded.suite_id, name = excluded.name, base_url = excluded.base_url,
               version = excluded.version, etag = excluded.etag,
               case_count = excluded.case_count, tags = excluded.tags, cases = excluded.cases,
               warnings = excluded.warnings, updated_by = excluded.updated_by,
               updated_at = clock_timestamp()
        RETURNING version
        """,
        org_id,
        file,
        draft.etag,
        author,
        draft.text,
        draft.suite_id,
        draft.name,
        draft.base_url,
        draft.case_count,
        list(draft.tags),
        draft.cases,
        draft.warnings,
    )
    return version


async def delete(connection: Connection, org_id: str, file: str) -> None:
    """Delete a suite; its texts stay."""
    await connection.execute("DELETE FROM runs.suite WHERE org_id = $1 AND file = $2", org_id, file)


async def others_with_id(
    connection: Connection, org_id: str, suite_id: str, file: str
) -> str | None:
    """Find another suite of the same id; give its file, the first of several."""
    other: str | None = await connection.fetchval(
        """
        SELECT file FROM runs.suite
         WHERE org_id = $1 AND suite_id = $2 AND file <> $3 ORDER BY file LIMIT 1
        """,
        org_id,
        suite_id,
        file,
    )
    return other


async def page(
    connection: Connection, org_id: str, q: str, tags: Sequence[str], limit: int, offset: int
) -> list[SuiteItem]:
    """Give a page of suites by file name, each with its newest run."""
    rows = await connection.fetch(
        """
        WITH page AS (
            SELECT org_id, file, name, suite_id, base_url, case_count, tags, updated_at
              FROM runs.suite
             WHERE org_id = $1
               AND ($2 = '' OR strpos(lower(name), lower($2)) > 0
                    OR strpos(lower(file), lower($2)) > 0
                    OR strpos(lower(suite_id), lower($2)) > 0)
               AND (cardinality($3::text[]) = 0 OR tags @> $3::text[])
             ORDER BY file LIMIT $4 OFFSET $5)
        SELECT page.file, page.name, page.suite_id, page.base_url, page.case_count, page.tags,
               page.updated_at, last.id AS run_id, last.status, last.finished_at
          FROM page
          LEFT JOIN LATERAL (
               SELECT id, status, finished_at FROM runs.run
                WHERE run.org_id = page.org_id AND run.file = page.file
                ORDER BY queued_at DESC, id DESC LIMIT 1) AS last ON true
         ORDER BY page.file
        """,
        org_id,
        q,
        list(tags),
        limit,
        offset,
    )
    return [
        SuiteItem(
            file=row["file"],
            name=row["name"],
            suite=row["name"],
            id=row["suite_id"],
            base_url=row["base_url"],
            case_count=row["case_count"],
            tags=row["tags"],
            updated_at=row["updated_at"],
            last_run=None
            if row["run_id"] is None
            else LastRun(id=row["run_id"], status=row["status"], finished_at=row["finished_at"]),
        )
        for row in rows
    ]


async def count(connection: Connection, org_id: str, q: str, tags: Sequence[str], cap: int) -> int:
    """Count suites, up to a cap."""
    found: int = await connection.fetchval(
        """
        SELECT count(*) FROM (
            SELECT 1 FROM runs.suite
             WHERE org_id = $1
               AND ($2 = '' OR strpos(lower(name), lower($2)) > 0
                    OR strpos(lower(file), lower($2)) > 0
                    OR strpos(lower(suite_id), lower($2)) > 0)
               AND (cardinality($3::text[]) = 0 OR tags @> $3::text[])
             LIMIT $4) AS found
        """,
        org_id,
        q,
        list(tags),
        cap,
    )
    return found


async def versions(
    connection: Connection, org_id: str, file: str, limit: int, offset: int
) -> list[VersionItem]:
    """Give a page of a file's texts, newest first, without the texts."""
    rows = await connection.fetch(
        """
        SELECT n, '"' || etag || '"' AS etag, author, created_at FROM runs.suite_version
         WHERE org_id = $1 AND file = $2 ORDER BY n DESC LIMIT $3 OFFSET $4
        """,
        org_id,
        file,
        limit,
        offset,
    )
    return [VersionItem(**row) for row in rows]


async def count_versions(connection: Connection, org_id: str, file: str) -> int:
    """Count a file's texts: they have numbers without gaps."""
    newest: int | None = await connection.fetchval(
        "SELECT max(n) FROM runs.suite_version WHERE org_id = $1 AND file = $2", org_id, file
    )
    return newest or 0


async def version(connection: Connection, org_id: str, file: str, n: int) -> VersionDetail | None:
    """Find one of a file's texts."""
    row = await connection.fetchrow(
        """
        SELECT n, '"' || etag || '"' AS etag, author, created_at, text AS yaml
          FROM runs.suite_version WHERE org_id = $1 AND file = $2 AND n = $3
        """,
        org_id,
        file,
        n,
    )
    return None if row is None else VersionDetail(**row)


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Delete all suites of an organization, and every text."""
    await connection.execute("DELETE FROM runs.suite WHERE org_id = $1", org_id)
    await connection.execute("DELETE FROM runs.suite_version WHERE org_id = $1", org_id)


async def forget_account(connection: Connection, account_id: str) -> None:
    """Let nothing say that an account wrote it.

    all tenants: an account may have written in several organizations, and is forgotten in all.
    """
    await connection.execute(
        "UPDATE runs.suite SET updated_by = '' WHERE updated_by = $1", account_id
    )
    await connection.execute(
        "UPDATE runs.suite_version SET author = '' WHERE author = $1", account_id
    )
