"""The statements of the PostgreSQL transport, each a transaction of its own."""

from __future__ import annotations

from typing import Final

DECLARE: Final = """
WITH queue AS (
    INSERT INTO bus.queue (name, expires_at)
    VALUES ($1, now() + make_interval(secs => $3))
    ON CONFLICT (name) DO UPDATE SET expires_at = EXCLUDED.expires_at
    RETURNING name
)
INSERT INTO bus.binding (kind, queue)
SELECT kind, name FROM queue, unnest($2::text[]) AS kind
ON CONFLICT DO NOTHING
"""

_MESSAGE: Final = """
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::bytea[])
    WITH ORDINALITY AS m (event_id, kind, occurred_at, traceparent, payload, position)
"""

# One row per message and bound queue, and one empty NOTIFY per queue. Channel names end at 63
# bytes, queue names do not: the hash keeps them apart.
PUBLISH: Final = f"""
WITH message AS ({_MESSAGE}),
placed AS (
    INSERT INTO bus.delivery (queue, event_id, kind, occurred_at, traceparent, payload)
    SELECT b.queue, m.event_id, m.kind, m.occurred_at, m.traceparent, m.payload
    FROM message m JOIN bus.binding b ON b.kind = m.kind
    ORDER BY m.position
    RETURNING queue
)
SELECT pg_notify('bus:' || md5(queue), '') FROM (SELECT DISTINCT queue FROM placed) AS q
"""  # noqa: S608 - put together from constants

PUBLISH_TO: Final = f"""
WITH message AS ({_MESSAGE}),
queue AS (INSERT INTO bus.queue (name) VALUES ($6) ON CONFLICT DO NOTHING),
placed AS (
    INSERT INTO bus.delivery (queue, event_id, kind, occurred_at, traceparent, payload)
    SELECT $6, m.event_id, m.kind, m.occurred_at, m.traceparent, m.payload
    FROM message m ORDER BY m.position
)
SELECT pg_notify('bus:' || md5($6), '')
"""  # noqa: S608 - put together from constants

TAKE: Final = """
WITH due AS (
    SELECT id FROM bus.delivery
    WHERE queue = $1 AND available_at <= now()
    ORDER BY available_at, id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE bus.delivery AS d SET available_at = now() + make_interval(secs => $3)
FROM due WHERE d.id = due.id
RETURNING d.id, d.event_id, d.kind, d.occurred_at, d.traceparent, d.payload
"""

TAKE_BROADCAST: Final = """
WITH due AS (
    SELECT id FROM bus.delivery
    WHERE queue = $1 AND available_at <= now()
    ORDER BY available_at, id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM bus.delivery AS d USING due WHERE d.id = due.id
RETURNING d.id, d.event_id, d.kind, d.occurred_at, d.traceparent, d.payload
"""

ACK: Final = "DELETE FROM bus.delivery WHERE id = ANY($1::bigint[])"

RETRY: Final = """
UPDATE bus.delivery SET available_at = now() + make_interval(secs => $2) WHERE id = $1
"""

PARK: Final = """
UPDATE bus.delivery SET available_at = 'infinity', parked_at = now(), reason = $2 WHERE id = $1
"""

GIVE_BACK: Final = """
WITH given AS (
    UPDATE bus.delivery SET available_at = now()
    WHERE id = ANY($1::bigint[]) AND parked_at IS NULL
    RETURNING queue
)
SELECT pg_notify('bus:' || md5(queue), '') FROM (SELECT DISTINCT queue FROM given) AS q
"""

RENEW: Final = """
UPDATE bus.delivery SET available_at = now() + make_interval(secs => $2)
WHERE id = ANY($1::bigint[]) AND parked_at IS NULL
"""

DUE: Final = """
SELECT name FROM unnest($1::text[]) AS name
WHERE EXISTS (SELECT FROM bus.delivery WHERE queue = name AND available_at <= now())
"""

SHOW_LIFE: Final = """
UPDATE bus.queue SET expires_at = now() + make_interval(secs => $2)
WHERE name = ANY($1::text[])
RETURNING name
"""

REMOVE: Final = """
WITH removed AS (DELETE FROM bus.queue WHERE name = ANY($1::text[]))
DELETE FROM bus.delivery WHERE queue = ANY($1::text[])
"""

SWEEP_QUEUES: Final = "DELETE FROM bus.queue WHERE expires_at < now()"

# The names in use are walked along the index, one step a name, however much lies in each queue.
SWEEP_DELIVERIES: Final = """
WITH RECURSIVE used AS (
    (SELECT queue FROM bus.delivery ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT d.queue FROM bus.delivery d WHERE d.queue > used.queue ORDER BY d.queue LIMIT 1)
    FROM used WHERE used.queue IS NOT NULL
)
DELETE FROM bus.delivery WHERE queue IN (
    SELECT queue FROM used WHERE queue IS NOT NULL EXCEPT SELECT name FROM bus.queue
)
"""
