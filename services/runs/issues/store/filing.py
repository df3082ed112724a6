"""SQL of filing: what a run's end writes to the board."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from services.runs.issues.models import Filing, Finding, Place, Standing
from shared.db import Connection


async def lock_board(connection: Connection, org_id: str) -> int:
    """Let one run file at a time in an organization; give the last number that was given out."""
    number: int = await connection.fetchval(
        """
        INSERT INTO runs.issue_board (org_id) VALUES ($1)
        ON CONFLICT (org_id) DO UPDATE SET org_id = excluded.org_id RETURNING last_number
        """,
        org_id,
    )
    return number


async def list_filings(connection: Connection, org_id: str, run_id: str) -> list[Filing]:
    """Give what a run has filed before."""
    rows = await connection.fetch(
        """
        SELECT f.case_id, f.number, i.fingerprint, f.is_new
          FROM runs.issue_filing f
          JOIN runs.issue i ON i.org_id = $1 AND i.number = f.number
         WHERE f.org_id = $1 AND f.run_id = $2
        """,
        org_id,
        run_id,
    )
    return [Filing(**row) for row in rows]


async def lock_known(
    connection: Connection, org_id: str, hashes: Sequence[bytes]
) -> list[Standing]:
    """Find issues by their fingerprints, and keep others from changing them."""
    rows = await connection.fetch(
        """
        SELECT number, fingerprint_hash, status, title, severity, occurrences, comment_count,
               version
          FROM runs.issue WHERE org_id = $1 AND fingerprint_hash = ANY ($2::bytea[])
         ORDER BY number FOR UPDATE
        """,
        org_id,
        hashes,
    )
    return [Standing(**row) for row in rows]


async def insert(
    connection: Connection,
    place: Place,
    last_number: int,
    findings: Mapping[int, Finding],
    hashes: Sequence[bytes],
    words: Sequence[str],
) -> None:
    """Open issues under their numbers, and give those numbers out.

    Args:
        connection: in the transaction that holds the board.
        place: where they were found.
        last_number: the highest of them.
        findings: by number.
        hashes: of the fingerprints, in the same order.
        words: what a search looks into, in the same order.
    """
    each = list(findings.values())
    await connection.execute(
        "UPDATE runs.issue_board SET last_number = $2 WHERE org_id = $1", place.org_id, last_number
    )
    await connection.execute(
        """
        WITH opened AS (
            INSERT INTO runs.issue (org_id, run_id, suite_id, file, number, fingerprint_hash,
                   fingerprint, case_id, title, severity, body_md, root_cause, evidence, words,
                   first_seen, last_seen)
            SELECT $1, $2, $3, $4, n.number, n.hash, n.fingerprint, n.case_id, n.title, n.severity,
                   n.body, n.root_cause, n.evidence::json, n.words, now(), now()
              FROM unnest($5::bigint[], $6::bytea[], $7::text[], $8::text[], $9::text[],
                          $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
                   AS n (number, hash, fingerprint, case_id, title, severity, body, root_cause,
                         evidence, words)
            RETURNING org_id, number, run_id)
        INSERT INTO runs.issue_activity (org_id, number, is_automatic, kind, after, run_id)
        SELECT org_id, number, true, 'opened', 'open', run_id FROM opened ORDER BY number
        """,
        place.org_id,
        place.run_id,
        place.suite_id,
        place.file,
        list(findings),
        hashes,
        [one.fingerprint for one in each],
        [one.case_id for one in each],
        [one.title for one in each],
        [one.severity for one in each],
        [one.body for one in each],
        [one.root_cause for one in each],
        [json.dumps(one.evidence) for one in each],
        words,
    )


async def recur(
    connection: Connection,
    place: Place,
    findings: Mapping[int, Finding],
    comment_ids: Sequence[str],
    most_comments: int,
) -> None:
    """Note that issues were seen again: one more occurrence, a comment, open again if closed.

    Args:
        connection: in the transaction that holds the issues.
        place: where they were seen.
        findings: by number.
        comment_ids: for the comments, in the same order.
        most_comments: from which on an issue gets no more.
    """
    each = list(findings.values())
    await connection.execute(
        """
        WITH n AS (
            SELECT * FROM unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[])
                       AS n (number, comment_id, comment, root_cause, evidence)
        ), before AS (
            SELECT i.org_id, i.number, i.status = 'closed' AS was_closed,
                   i.comment_count < $9::integer AS has_room
              FROM runs.issue i JOIN n ON n.number = i.number WHERE i.org_id = $1
        ), seen AS (
            UPDATE runs.issue i
               SET occurrences = i.occurrences + 1, last_seen = greatest(i.last_seen, now()),
                   run_id = $2, file = $3, evidence = n.evidence::json, version = i.version + 1,
                   root_cause = CASE n.root_cause WHEN '' THEN i.root_cause ELSE n.root_cause END,
                   status = CASE WHEN b.was_closed THEN 'open' ELSE i.status END,
                   comment_count = i.comment_count + b.has_room::integer
              FROM n JOIN before b ON b.number = n.number
             WHERE i.org_id = $1 AND i.number = n.number
        ), commented AS (
            INSERT INTO runs.issue_comment (org_id, number, id, is_automatic, body)
            SELECT $1, n.number, n.comment_id, true, n.comment
              FROM n JOIN before b ON b.number = n.number WHERE b.has_room ORDER BY n.number
        )
        INSERT INTO runs.issue_activity (org_id, number, is_automatic, kind, before, after, run_id)
        SELECT org_id, number, true, 'reopened', 'closed', 'open', $2 FROM before
         WHERE was_closed ORDER BY number
        """,
        place.org_id,
        place.run_id,
        place.file,
        list(findings),
        comment_ids,
        [one.comment for one in each],
        [one.root_cause for one in each],
        [json.dumps(one.evidence) for one in each],
        most_comments,
    )


async def note_filings(
    connection: Connection, org_id: str, run_id: str, filings: Sequence[Filing]
) -> None:
    """Note what a run filed, so that it files nothing twice."""
    await connection.execute(
        """
        INSERT INTO runs.issue_filing (org_id, run_id, case_id, number, is_new)
        SELECT $1, $2, * FROM unnest($3::text[], $4::bigint[], $5::boolean[])
        """,
        org_id,
        run_id,
        [one.case_id for one in filings],
        [one.number for one in filings],
        [one.is_new for one in filings],
    )
