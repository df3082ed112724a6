-- The built-in board: what runs found wrong, each kind of failure once.

-- Numbers are given out under this row and never again.
CREATE TABLE runs.issue_board (
    org_id text PRIMARY KEY,
    last_number bigint NOT NULL DEFAULT 0
);

CREATE TABLE runs.issue (
    org_id text NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    -- SHA-256 of the fingerprint, which is as long as the ids in it.
    fingerprint_hash bytea NOT NULL,
    fingerprint text NOT NULL,
    suite_id text NOT NULL,
    case_id text NOT NULL,
    -- The suite's file when it was seen last.
    file text NOT NULL,
    title text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low')),
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed', 'acknowledged')),
    occurrences integer NOT NULL DEFAULT 1 CHECK (occurrences > 0),
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    -- The newest run that saw it.
    run_id text NOT NULL,
    body_md text NOT NULL,
    -- Found out of the newest failure: its cause as a text, and lines that show it.
    root_cause text NOT NULL DEFAULT '',
    evidence json NOT NULL DEFAULT '[]',
    -- Where it stands in trackers of others: [{provider, key, url}].
    external json NOT NULL DEFAULT '[]',
    comment_count integer NOT NULL DEFAULT 0,
    -- What a search looks into: number, title, suite, case and file, case-folded.
    words text NOT NULL,
    -- Rises with each change.
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (org_id, number),
    UNIQUE (org_id, fingerprint_hash)
);
CREATE INDEX issue_newest ON runs.issue (org_id, last_seen DESC, number DESC);
CREATE INDEX issue_status ON runs.issue (org_id, status, last_seen DESC, number DESC);

-- A case of a run is filed once, however often a worker says so.
CREATE TABLE runs.issue_filing (
    org_id text NOT NULL,
    run_id text NOT NULL,
    case_id text NOT NULL,
    number bigint NOT NULL,
    is_new boolean NOT NULL,
    PRIMARY KEY (org_id, run_id, case_id),
    FOREIGN KEY (org_id, number) REFERENCES runs.issue ON DELETE CASCADE
);

CREATE TABLE runs.issue_comment (
    org_id text NOT NULL,
    number bigint NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    id text NOT NULL,
    -- Written by a run.
    is_automatic boolean NOT NULL,
    -- '' where no person wrote it, or the account was erased.
    account_id text NOT NULL DEFAULT '',
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, number, position),
    FOREIGN KEY (org_id, number) REFERENCES runs.issue ON DELETE CASCADE
);
CREATE INDEX issue_comment_account ON runs.issue_comment (account_id) WHERE account_id <> '';

CREATE TABLE runs.issue_activity (
    org_id text NOT NULL,
    number bigint NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    ts timestamptz NOT NULL DEFAULT clock_timestamp(),
    is_automatic boolean NOT NULL,
    account_id text NOT NULL DEFAULT '',
    kind text NOT NULL CHECK
        (kind IN ('opened', 'reopened', 'status', 'title', 'body_md', 'severity')),
    before text,
    after text,
    run_id text,
    PRIMARY KEY (org_id, number, position),
    FOREIGN KEY (org_id, number) REFERENCES runs.issue ON DELETE CASCADE
);
CREATE INDEX issue_activity_account ON runs.issue_activity (account_id) WHERE account_id <> '';
