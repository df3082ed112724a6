-- The tables through which a service speaks to the bus. Each service's first migration includes
-- this text, so that a service owns its own copy.

-- Events written beside the change they tell of, until the relay has published them.
CREATE TABLE {schema}.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamptz NOT NULL,
    traceparent text,
    payload text NOT NULL,
    -- Set by a replay: the event goes to this queue alone.
    queue text,
    -- A relay is publishing the row until then; afterwards it is anyone's again.
    claimed_until timestamptz
) WITH (
    -- Rows live for milliseconds: vacuum by count, or dead rows slow down every claim.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    fillfactor = 70
);

-- What each consumer has handled, written in the transaction of the effect.
CREATE TABLE {schema}.inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_handled_at ON {schema}.inbox USING brin (handled_at);

-- Attempts begun and not yet crowned: counted before handling, so that a crash counts.
CREATE TABLE {schema}.attempt (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    attempts integer NOT NULL DEFAULT 1 CHECK (attempts > 0),
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000
);

-- Events given up on, kept until a person replays or discards them.
CREATE TABLE {schema}.parked (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamptz NOT NULL,
    traceparent text,
    payload text NOT NULL,
    attempts integer NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (consumer, event_id)
);
