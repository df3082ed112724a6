-- Outgoing webhooks and their deliveries.

CREATE TABLE learnings.webhook (
    org_id         text        NOT NULL,
    id             text        NOT NULL,
    url            text        NOT NULL,
    description    text        NOT NULL DEFAULT '',
    events         text[]      NOT NULL CHECK (cardinality(events) > 0),
    -- Sealed; after a rotation the old one signs as well until it ends.
    secret         bytea       NOT NULL,
    old_secret     bytea,
    old_secret_ends_at timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    -- Why nothing is delivered any more, where nothing is.
    disabled_at    timestamptz,
    disabled_reason text       CHECK (disabled_reason IN ('administrator', 'gone', 'failing')),
    -- How its address behaves: failed attempts in a row, since when, and deliveries given up.
    failures       integer     NOT NULL DEFAULT 0,
    failing_since  timestamptz,
    given_up       integer     NOT NULL DEFAULT 0,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    -- When somebody must look: null while nothing waits. While one process has it, it is held; an
    -- address that keeps failing rests.
    next_at        timestamptz,
    held_until     timestamptz,
    rests_until    timestamptz,
    PRIMARY KEY (org_id, id),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    CHECK (disabled_at IS NULL OR next_at IS NULL)
);
-- Whose turn it is, over all organizations.
CREATE INDEX webhook_next ON learnings.webhook (next_at) WHERE next_at IS NOT NULL;

-- What is told: written once, however many webhooks it goes to.
CREATE TABLE learnings.webhook_message (
    org_id     text        NOT NULL,
    id         text        NOT NULL,
    type       text        NOT NULL,
    body       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id)
);
CREATE INDEX webhook_message_age ON learnings.webhook_message (created_at);

CREATE TABLE learnings.webhook_delivery (
    org_id          text        NOT NULL,
    id              text        NOT NULL,
    webhook_id      text        NOT NULL,
    message_id      text        NOT NULL,
    status          text        NOT NULL DEFAULT 'pending'
                                CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts        integer     NOT NULL DEFAULT 0,
    -- Attempts of earlier rounds: a redelivery begins a new one.
    earlier         integer     NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    attempted_at    timestamptz,
    duration_ms     integer,
    response_status integer,
    response_text   text,
    error           text,
    finished_at     timestamptz,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, webhook_id) REFERENCES learnings.webhook ON DELETE CASCADE,
    FOREIGN KEY (org_id, message_id) REFERENCES learnings.webhook_message ON DELETE CASCADE
);
CREATE INDEX webhook_delivery_due
    ON learnings.webhook_delivery (org_id, webhook_id, due_at) WHERE status = 'pending';
CREATE INDEX webhook_delivery_backlog
    ON learnings.webhook_delivery (org_id, created_at DESC, id DESC) WHERE status = 'pending';
CREATE INDEX webhook_delivery_list
    ON learnings.webhook_delivery (org_id, webhook_id, created_at DESC, id DESC);
CREATE INDEX webhook_delivery_status
    ON learnings.webhook_delivery (org_id, webhook_id, status, created_at DESC, id DESC);
CREATE INDEX webhook_delivery_message ON learnings.webhook_delivery (org_id, message_id);

-- What happened to learnings of organizations that have webhooks, until messages are made of it.
CREATE TABLE learnings.webhook_news (
    org_id      text        NOT NULL,
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    type        text        NOT NULL,
    learning_id text        NOT NULL,
    event_id    uuid        NOT NULL,
    said_at     timestamptz NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX webhook_news_age ON learnings.webhook_news (id);
