-- Notifications that are owed to channels; what they say is made of the run when they are sent.

CREATE TABLE runs.delivery (
    org_id text NOT NULL,
    id text NOT NULL,
    run_id text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('slack', 'teams', 'webhook')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it is tried next; while somebody sends it, when their lease ends.
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Counted when it is taken, so that it is the fence, too.
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    done_at timestamptz,
    -- Why it was dropped, or how the last attempt failed.
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, run_id, channel)
);
CREATE INDEX delivery_due ON runs.delivery (due_at) WHERE done_at IS NULL;
CREATE INDEX delivery_done ON runs.delivery (done_at) WHERE done_at IS NOT NULL;
