-- Installations, submissions, outcomes.

-- Which clients an organization has, derived from their calls.
CREATE TABLE learnings.installation (
    org_id            text        NOT NULL,
    id                text        NOT NULL,
    -- The client's own id, or 'key:' and the key's where it sends none.
    identity          text        NOT NULL,
    installation_id   text,
    -- The key that it last called with; empty for people.
    key_id            text        NOT NULL DEFAULT '',
    project           text        NOT NULL DEFAULT '',
    -- An administrator's label: what the client says no longer counts.
    is_labelled       boolean     NOT NULL DEFAULT false,
    client_profile    text        NOT NULL DEFAULT '',
    framework_version text        NOT NULL DEFAULT '',
    model_family      text        NOT NULL DEFAULT '',
    os_platform       text        NOT NULL DEFAULT '',
    python_version    text        NOT NULL DEFAULT '',
    pushed            bigint      NOT NULL DEFAULT 0 CHECK (pushed >= 0),
    events            bigint      NOT NULL DEFAULT 0 CHECK (events >= 0),
    outcomes          bigint      NOT NULL DEFAULT 0 CHECK (outcomes >= 0),
    -- Up to where it has pulled; null while it has pulled nothing.
    pulled_to         bigint,
    company_pulled_to bigint,
    first_seen        timestamptz NOT NULL DEFAULT now(),
    last_seen         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, identity)
) WITH (fillfactor = 70);

CREATE INDEX installation_list ON learnings.installation (org_id, last_seen DESC, id DESC);
-- The platform administrators' list, and how many there are of it.
CREATE INDEX installation_all ON learnings.installation (last_seen DESC, id DESC);
CREATE INDEX installation_key ON learnings.installation (org_id, key_id) WHERE key_id <> '';

-- What users write to the people who run the platform.
CREATE TABLE learnings.submission (
    org_id        text        NOT NULL,
    id            text        NOT NULL,
    principal     text        NOT NULL,
    account_id    text        NOT NULL DEFAULT '',
    category      text        NOT NULL CHECK (category IN (
        'bugfix', 'installation', 'feedback', 'feature_request', 'question', 'other')),
    subject       text        NOT NULL,
    message       text        NOT NULL,
    metadata      jsonb       NOT NULL DEFAULT '{}',
    contact_email text,
    -- SHA-256 of what was sent, by which the same is known when it is sent again.
    digest        bytea       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id)
);

CREATE INDEX submission_repeat ON learnings.submission (org_id, principal, digest, created_at DESC);
CREATE INDEX submission_rate ON learnings.submission (org_id, principal, created_at DESC);
CREATE INDEX submission_all ON learnings.submission (created_at DESC, id DESC);
CREATE INDEX submission_category
    ON learnings.submission (category, created_at DESC, id DESC);
CREATE INDEX submission_account ON learnings.submission (account_id) WHERE account_id <> '';

-- What came of work that learnings were used in.
CREATE TABLE learnings.outcome (
    org_id          text        NOT NULL,
    id              text        NOT NULL,
    -- The client's own, or a hash of all that it sent.
    idempotency_key text        NOT NULL,
    client_id       text        NOT NULL DEFAULT '',
    session_id      text        NOT NULL DEFAULT '',
    -- As they were sent; those that were known then stand in outcome_learning.
    learning_ids    text[]      NOT NULL DEFAULT '{}',
    build_passed    boolean,
    rework_rate     double precision,
    tasks_completed bigint,
    files_changed   bigint,
    propensity_data jsonb       NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, idempotency_key)
);

CREATE TABLE learnings.outcome_learning (
    org_id      text             NOT NULL,
    learning_id text             NOT NULL,
    outcome_id  text             NOT NULL,
    -- How much it counts for and against the learning; both 0 where it tells nothing.
    helped      double precision NOT NULL CHECK (helped BETWEEN 0 AND 1),
    not_helped  double precision NOT NULL CHECK (not_helped BETWEEN 0 AND 1),
    created_at  timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, learning_id, outcome_id)
);

CREATE INDEX outcome_learning_list
    ON learnings.outcome_learning (org_id, learning_id, created_at DESC, outcome_id DESC);
CREATE INDEX outcome_list ON learnings.outcome (org_id, created_at DESC, id DESC);

-- Sums of outcome_learning: outcomes' worth of evidence that a learning helped, and that it did not.
CREATE TABLE learnings.learning_score (
    org_id      text             NOT NULL,
    learning_id text             NOT NULL,
    helped      double precision NOT NULL DEFAULT 0 CHECK (helped >= 0),
    not_helped  double precision NOT NULL DEFAULT 0 CHECK (not_helped >= 0),
    updated_at  timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, learning_id)
) WITH (fillfactor = 70);
