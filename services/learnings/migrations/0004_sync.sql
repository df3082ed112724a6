-- Company rows, and what a key may pull and record.

-- Learnings that all organizations share: copies without a word of who wrote them. A copy that was
-- withdrawn stays without its text, so that clients learn of it; one whose organization was
-- deleted also loses its organization.
CREATE TABLE learnings.company_learning (
    org_id       text             NOT NULL,
    learning_id  text             NOT NULL,
    feed_id      text             NOT NULL UNIQUE,
    summary      text             NOT NULL,
    detail       text             NOT NULL,
    tags         text[]           NOT NULL,
    impact       double precision NOT NULL,
    status       text             NOT NULL CHECK (
        status IN ('active', 'resolved', 'obsolete', 'obsolete_poisoned', 'archived')),
    type         text             NOT NULL,
    server_clock bigint           NOT NULL DEFAULT 1,
    company_seq  bigint           NOT NULL UNIQUE,
    withdrawn    boolean          NOT NULL DEFAULT false,
    updated_at   timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, learning_id)
);

CREATE INDEX learning_company ON learnings.learning (org_id, id) WHERE tier = 'company';

-- One row: given to each written copy under its lock, so that commit order is number order.
CREATE TABLE learnings.company_counter (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    sequence bigint  NOT NULL DEFAULT 0
);
INSERT INTO learnings.company_counter DEFAULT VALUES;

-- What one key may pull, empty and null for anything, and how much it may record.
CREATE TABLE learnings.key_policy (
    org_id          text             NOT NULL,
    key_id          text             NOT NULL,
    origin_projects text[]           NOT NULL DEFAULT '{}',
    tags            text[]           NOT NULL DEFAULT '{}',
    min_impact      double precision NOT NULL DEFAULT 0 CHECK (min_impact BETWEEN 0 AND 1),
    quota           bigint           CHECK (quota >= 0),
    updated_at      timestamptz      NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, key_id)
);

-- Learnings that one key has recorded; counted under the lock of the organization's row.
CREATE TABLE learnings.key_usage (
    org_id   text   NOT NULL,
    key_id   text   NOT NULL,
    recorded bigint NOT NULL CHECK (recorded >= 0),
    PRIMARY KEY (org_id, key_id)
) WITH (fillfactor = 50);
