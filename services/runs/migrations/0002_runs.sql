-- Suites with every text they had, and runs: their queue, what happened in them, their reports.

CREATE TABLE runs.suite (
    org_id text NOT NULL,
    file text NOT NULL CHECK (file ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$'),
    -- The suite's own id, by which issues and analytics know it.
    suite_id text NOT NULL,
    name text NOT NULL,
    base_url text NOT NULL,
    -- Of the newest text; older ones keep theirs.
    version integer NOT NULL CHECK (version > 0),
    -- 32 hex digits, without quotes.
    etag text NOT NULL,
    case_count integer NOT NULL,
    -- Of its cases together.
    tags text[] NOT NULL DEFAULT '{}',
    -- As the surface shows them, so that no list parses texts.
    cases json NOT NULL,
    warnings json NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_by text NOT NULL,
    PRIMARY KEY (org_id, file)
);
CREATE INDEX suite_id ON runs.suite (org_id, suite_id);
CREATE INDEX suite_tags ON runs.suite USING gin (tags);

-- A deleted suite's texts stay, because runs of it stay readable; one of the same name goes on.
CREATE TABLE runs.suite_version (
    org_id text NOT NULL,
    file text NOT NULL,
    n integer NOT NULL CHECK (n > 0),
    etag text NOT NULL,
    author text NOT NULL,
    -- As sent, byte for byte.
    text text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, file, n)
);

CREATE TABLE runs.run (
    org_id text NOT NULL,
    id text NOT NULL UNIQUE,
    file text NOT NULL,
    suite_id text NOT NULL,
    suite_name text NOT NULL,
    -- The text that is run: the newest when it was queued.
    version integer NOT NULL,
    -- Those chosen, with what they depend on; null: all.
    cases text[],
    -- Of the cases chosen.
    tags text[] NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'queued' CHECK (status IN
        ('queued', 'running', 'passed', 'failed', 'broken', 'cancelled', 'interrupted')),
    summary json,
    headed boolean NOT NULL DEFAULT false,
    sharded boolean NOT NULL DEFAULT false,
    -- Words separated by commas, or 'none'; null: what the installation says.
    file_issues text,
    -- Sealed: variables given with the request, which may be secrets.
    variables bytea,
    trigger text NOT NULL CHECK (trigger IN ('api', 'plan', 'ci', 'mcp', 'rerun')),
    plan_id text,
    rerun_of text,
    git_sha text,
    ci_url text,
    created_by text NOT NULL,
    -- First in, first out.
    position bigint GENERATED ALWAYS AS IDENTITY,
    attempt integer NOT NULL DEFAULT 1 CHECK (attempt > 0),
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    -- Who executes it, until when, and the number that every write of theirs shows.
    worker text,
    fence bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    cancel_requested_at timestamptz,
    -- The number of the newest event.
    seq integer NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, id),
    CHECK ((status = 'running') = (lease_until IS NOT NULL)),
    CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL))
);
CREATE INDEX run_newest ON runs.run (org_id, queued_at DESC, id DESC);
CREATE INDEX run_status ON runs.run (org_id, status, queued_at DESC, id DESC);
CREATE INDEX run_file ON runs.run (org_id, file, queued_at DESC, id DESC);
CREATE INDEX run_plan ON runs.run (org_id, plan_id, queued_at DESC, id DESC)
    WHERE plan_id IS NOT NULL;
CREATE INDEX run_tags ON runs.run USING gin (tags);
CREATE INDEX run_waiting ON runs.run (position) WHERE status = 'queued';
CREATE INDEX run_held ON runs.run (lease_until) WHERE status = 'running';
-- What clears old artifacts away.
CREATE INDEX run_finished ON runs.run (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE runs.run_event (
    org_id text NOT NULL,
    run_id text NOT NULL,
    seq integer NOT NULL CHECK (seq > 0),
    kind text NOT NULL,
    -- The whole event as JSON text, masked.
    body text NOT NULL,
    PRIMARY KEY (org_id, run_id, seq),
    FOREIGN KEY (org_id, run_id) REFERENCES runs.run ON DELETE CASCADE
);

CREATE TABLE runs.run_report (
    org_id text NOT NULL,
    run_id text NOT NULL,
    -- Partial while the run goes on.
    report text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, run_id),
    FOREIGN KEY (org_id, run_id) REFERENCES runs.run ON DELETE CASCADE
);
