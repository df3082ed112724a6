-- The bus on PostgreSQL: queues, what they are bound to, and what lies in them.

CREATE TABLE bus.queue (
    name text PRIMARY KEY,
    -- Only for broadcast: moved on by the owning process; a queue past it is swept.
    expires_at timestamptz
);

CREATE TABLE bus.binding (
    kind text NOT NULL,
    queue text NOT NULL REFERENCES bus.queue (name) ON DELETE CASCADE,
    PRIMARY KEY (kind, queue)
);
CREATE INDEX binding_queue ON bus.binding (queue);

-- No foreign key to bus.queue: it would make every publisher lock the queue's row. Deliveries that
-- outlive their queue are swept.
CREATE TABLE bus.delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue text NOT NULL,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamptz NOT NULL,
    traceparent text,
    payload bytea NOT NULL,
    -- A consumer's lease and a retry's delay both move it into the future; parking, to infinity.
    available_at timestamptz NOT NULL DEFAULT now(),
    parked_at timestamptz,
    reason text,
    CHECK ((parked_at IS NULL) = (reason IS NULL)),
    CHECK ((parked_at IS NULL) = isfinite(available_at))
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    fillfactor = 70
);
CREATE INDEX delivery_due ON bus.delivery (queue, available_at, id);
