-- include: shared/bus/service.sql
-- include: shared/idempotency.sql

-- What this service knows of an organization, and its counters. A row comes with the
-- organization's first event or its first learning, whichever is seen first.
CREATE TABLE learnings.organization (
    org_id         text        PRIMARY KEY,
    name           text        NOT NULL DEFAULT '',
    slug           text        NOT NULL DEFAULT '',
    -- When auth said the name; null while it has said none.
    named_at       timestamptz,
    -- Learnings in the unfiltered list.
    learning_count bigint      NOT NULL DEFAULT 0 CHECK (learning_count >= 0),
    -- Given to each written learning under this row's lock, so that commit order is number order.
    sequence       bigint      NOT NULL DEFAULT 0 CHECK (sequence >= 0),
    -- created_at of the newest learning; the next one is later, whatever the clock does.
    newest_at      timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

CREATE TABLE learnings.learning (
    org_id             text             NOT NULL,
    id                 text             NOT NULL,
    summary            text             NOT NULL,
    detail             text             NOT NULL,
    tags               text[]           NOT NULL,
    impact             double precision NOT NULL CHECK (impact BETWEEN 0 AND 1),
    status             text             NOT NULL CHECK (
        status IN ('active', 'resolved', 'obsolete', 'obsolete_poisoned', 'archived')),
    type               text             NOT NULL,
    tier               text             NOT NULL DEFAULT 'team' CHECK (tier IN ('team', 'company')),
    -- Who wrote it: the installation, else the key or person. With the writer's own id it is the
    -- natural key under which the same learning is known when it is sent again.
    origin             text             NOT NULL,
    source_learning_id text,
    source_project     text,
    origin_project     text,
    client_id          text,
    recorded_by        text             NOT NULL,
    account_id         text             NOT NULL,
    -- The clock as the writer sent it, and our own counter that is added when it is shown.
    vector_clock       jsonb            NOT NULL DEFAULT '{}',
    server_clock       bigint           NOT NULL DEFAULT 1,
    metadata           jsonb            NOT NULL DEFAULT '{}',
    sync_hash          text,
    -- Fields that are stored and shown as they were sent.
    extra              jsonb            NOT NULL DEFAULT '{}',
    duplicate_of       text,
    similar_to         text,
    superseded_by      text,
    version            bigint           NOT NULL DEFAULT 1,
    sync_seq           bigint           NOT NULL,
    created_at         timestamptz      NOT NULL,
    updated_at         timestamptz      NOT NULL,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, origin, source_learning_id),
    UNIQUE (org_id, sync_seq)
);

-- array_to_string is only "stable" because some types print differently by setting; text does not.
CREATE FUNCTION learnings.words(tags text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN array_to_string(tags, ' ');

-- Cut short, because a tsvector holds at most 1 MB and a write must not fail for its words.
ALTER TABLE learnings.learning ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (
    setweight(to_tsvector('english', left(summary, 10000)), 'A')
    || setweight(to_tsvector('english', left(learnings.words(tags), 10000)), 'B')
    || setweight(to_tsvector('english', left(detail, 20000)), 'D')) STORED;

-- Every filter of the list leads into the list's own order, so that a page costs a page.
CREATE INDEX learning_list ON learnings.learning (org_id, created_at DESC, id DESC);
CREATE INDEX learning_status ON learnings.learning (org_id, status, created_at DESC, id DESC);
CREATE INDEX learning_type ON learnings.learning (org_id, type, created_at DESC, id DESC);
CREATE INDEX learning_source_project
    ON learnings.learning (org_id, source_project, created_at DESC, id DESC)
    WHERE source_project IS NOT NULL;
CREATE INDEX learning_origin_project
    ON learnings.learning (org_id, origin_project, created_at DESC, id DESC)
    WHERE origin_project IS NOT NULL;
CREATE INDEX learning_impact
    ON learnings.learning (org_id, impact DESC, created_at DESC, id DESC);
CREATE INDEX learning_updated ON learnings.learning (org_id, updated_at DESC);
-- What a person wrote, for the day they are to be forgotten.
CREATE INDEX learning_account ON learnings.learning (account_id) WHERE account_id <> '';
-- A short pending list: a search reads all of it.
CREATE INDEX learning_tags ON learnings.learning USING gin (tags)
    WITH (gin_pending_list_limit = 256);
CREATE INDEX learning_search ON learnings.learning USING gin (search)
    WITH (gin_pending_list_limit = 256);

-- Every 256th learning of an organization by its place, oldest first: a deep page starts from the
-- landmark above it instead of counting from the top.
CREATE TABLE learnings.landmark (
    org_id     text        NOT NULL,
    place      bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    id         text        NOT NULL,
    PRIMARY KEY (org_id, place)
);
