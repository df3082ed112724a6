-- What came of cases: every outcome, and sums over them, so that no question counts runs.

CREATE TABLE runs.analytics_run (
    org_id text NOT NULL,
    run_id text NOT NULL,
    suite_id text NOT NULL,
    file text NOT NULL,
    ended_at timestamptz NOT NULL,
    -- Outcomes that count, and those of them that passed.
    outcomes integer NOT NULL CHECK (outcomes > 0),
    passed integer NOT NULL,
    PRIMARY KEY (org_id, run_id)
);
CREATE INDEX analytics_run_newest ON runs.analytics_run (org_id, ended_at DESC, run_id DESC);
CREATE INDEX analytics_run_suite
    ON runs.analytics_run (org_id, suite_id, ended_at DESC, run_id DESC);

CREATE TABLE runs.analytics_outcome (
    org_id text NOT NULL,
    run_id text NOT NULL,
    suite_id text NOT NULL,
    case_id text NOT NULL,
    ended_at timestamptz NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('passed', 'failed', 'broken')),
    is_flaky boolean NOT NULL,
    duration_ms bigint NOT NULL,
    PRIMARY KEY (org_id, run_id, case_id),
    FOREIGN KEY (org_id, run_id) REFERENCES runs.analytics_run ON DELETE CASCADE
);
CREATE INDEX analytics_outcome_case
    ON runs.analytics_outcome (org_id, suite_id, case_id, ended_at DESC, run_id DESC);

CREATE TABLE runs.analytics_suite (
    org_id text NOT NULL,
    suite_id text NOT NULL,
    runs bigint NOT NULL,
    outcomes bigint NOT NULL,
    passed bigint NOT NULL,
    PRIMARY KEY (org_id, suite_id)
);

-- What the sums were at the end of a day of UTC on which one of them grew. What came in any time
-- since then is a difference, so that a question about a year costs as much as one about a week.
CREATE TABLE runs.analytics_suite_day (
    org_id text NOT NULL,
    suite_id text NOT NULL,
    day date NOT NULL,
    runs bigint NOT NULL,
    outcomes bigint NOT NULL,
    passed bigint NOT NULL,
    PRIMARY KEY (org_id, suite_id, day)
);

CREATE TABLE runs.analytics_case (
    org_id text NOT NULL,
    suite_id text NOT NULL,
    case_id text NOT NULL,
    title text NOT NULL,
    runs bigint NOT NULL,
    passed bigint NOT NULL,
    total_ms bigint NOT NULL,
    -- The newest outcomes, newest first.
    recent_at timestamptz[] NOT NULL,
    recent_verdict text[] NOT NULL,
    recent_flaky boolean[] NOT NULL,
    -- Milliseconds of more of them, newest first.
    durations bigint[] NOT NULL,
    -- Since it passed last.
    consecutive_failures bigint NOT NULL,
    failing_since timestamptz,
    PRIMARY KEY (org_id, suite_id, case_id)
);

CREATE TABLE runs.analytics_case_day (
    org_id text NOT NULL,
    suite_id text NOT NULL,
    case_id text NOT NULL,
    day date NOT NULL,
    runs bigint NOT NULL,
    passed bigint NOT NULL,
    total_ms bigint NOT NULL,
    PRIMARY KEY (org_id, suite_id, case_id, day)
);
