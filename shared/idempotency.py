"""``Idempotency-Key``: the same request twice gives the first answer again.

A key holds for 24 hours, per principal and operation. The same key with another body is an error.
The key is claimed before the operation runs and the answer is stored after it; a request that died
in between frees its key after a minute, because its client has long given up by then. Whoever comes
while the first is being answered waits a moment for that answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.db import Connection, Database
from shared.errors import Conflict, Fault, Invalid
from shared.principal import Principal

HEADER: Final = "idempotency-key"
REPLAY_HEADER: Final = "idempotent-replay"
MAX_KEY: Final = 255

LOOKS: Final = 40
PAUSE: Final = 0.05
"""So often, and so many seconds apart, a key is looked at whose first request is still running."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The first answer, as it went out."""

    status: int
    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A key claimed for one request; ``schema`` is the service's own."""

    schema: str
    principal: str
    operation: str
    key: str


def sent(body: bytes, path: Mapping[str, str]) -> bytes:
    """Give what a repeat must have in common with the first request: the same about something else
    is another one.

    Args:
        body: raw.
        path: the path parameters.
    """
    objects = "\n".join(path.values()).encode(errors="surrogatepass")
    return objects + b"\n" + body if objects else body


async def claim(
    database: Database,
    schema: str,
    principal: Principal,
    operation: str,
    key: str,
    body: bytes,
    secret: bytes,
) -> Claim | StoredAnswer:
    """Claim a key, or give the answer that it already has.

    Args:
        database: the service's.
        schema: the service's own.
        principal: who is calling.
        operation: method and path template.
        key: as the caller sent it.
        body: what was sent.
        secret: the service's; bodies are kept as their HMAC-SHA256 under it, because a plain hash
            of a body with a password in it could be guessed.

    Raises:
        Invalid: the key is too long, or was used with another body.
        Conflict: the first request with this key is still running.
    """
    if not 0 < len(key) <= MAX_KEY or not key.isprintable():
        raise Invalid.field("header", "Idempotency-Key", msg=f"must have 1 to {MAX_KEY} characters")
    # With the kind: an external subject may be called like a service account.
    owner = f"{principal.kind}:{principal.org}/{principal.subject}"
    digest = hmac.digest(secret, body, hashlib.sha256)
    wanted = Claim(schema, owner, operation, key)
    for _ in range(LOOKS):
        found = await _claim(database, wanted, digest)
        if found is not None:
            return found
        await asyncio.sleep(PAUSE)
    raise Conflict("A request with this Idempotency-Key is still running")


async def _claim(database: Database, wanted: Claim, digest: bytes) -> Claim | StoredAnswer | None:
    """Claim a key, or give its answer; None while the first request is running."""
    async with database.transaction() as connection:
        if await _insert(connection, wanted, digest):
            return wanted
        row = await connection.fetchrow(
            f"""
            SELECT body_digest, status, body, media_type FROM {wanted.schema}.idempotency_key
             WHERE principal = $1 AND operation = $2 AND key = $3
            """,  # noqa: S608 - the schema is our own constant
            wanted.principal,
            wanted.operation,
            wanted.key,
        )
    if row is None or (row["body_digest"] == digest and row["status"] is None):
        return None
    if row["body_digest"] != digest:
        fault = Fault(("header", "Idempotency-Key"), "was used with another body", "reused")
        raise Invalid([fault])
    return StoredAnswer(row["status"], row["body"], row["media_type"])


async def _insert(connection: Connection, wanted: Claim, digest: bytes) -> bool:
    """Take a key that is new, or that nobody holds any more."""
    claimed = await connection.fetchval(
        f"""
        INSERT INTO {wanted.schema}.idempotency_key AS k (principal, operation, key, body_digest)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (principal, operation, key) DO UPDATE
           SET body_digest = excluded.body_digest, status = NULL, created_at = now()
         WHERE k.created_at < now() - interval '24 hours'
            OR (k.status IS NULL AND k.created_at < now() - interval '1 minute')
        RETURNING true
        """,  # noqa: S608 - the schema is our own constant
        wanted.principal,
        wanted.operation,
        wanted.key,
        digest,
    )
    return bool(claimed)


async def store(database: Database, claim: Claim, answer: StoredAnswer) -> None:
    """Keep the answer of a claimed key."""
    async with database.transaction() as connection:
        await connection.execute(
            f"""
            UPDATE {claim.schema}.idempotency_key SET status = $4, body = $5, media_type = $6
             WHERE principal = $1 AND operation = $2 AND key = $3
            """,  # noqa: S608 - the schema is our own constant
            claim.principal,
            claim.operation,
            claim.key,
            answer.status,
            answer.body,
            answer.media_type,
        )


async def release(database: Database, claim: Claim) -> None:
    """Free the key of a request that was refused, so that it may be sent again, corrected."""
    async with database.transaction() as connection:
        await connection.execute(
            f"""
            DELETE FROM {claim.schema}.idempotency_key
             WHERE principal = $1 AND operation = $2 AND key = $3 AND status IS NULL
            """,  # noqa: S608 - the schema is our own constant
            claim.principal,
            claim.operation,
            claim.key,
        )


async def sweep(database: Database, schema: str) -> None:
    """Drop keys older than 24 hours, at most 10,000 at a time."""
    async with database.transaction() as connection:
        await connection.execute(
            f"""
            DELETE FROM {schema}.idempotency_key WHERE ctid IN (
                SELECT ctid FROM {schema}.idempotency_key
                 WHERE created_at < now() - interval '24 hours' LIMIT 10000)
            """  # noqa: S608 - the schema is our own constant
        )
