-- Plans: suites in an order, by schedule or when asked, and the lanes in which their runs wait.

CREATE TABLE runs.plan (
    org_id text NOT NULL,
    id text NOT NULL,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    -- [{"suite": …, "cases": null or […]}, …], as they were given.
    items json NOT NULL,
    -- Its runs wait for nobody.
    parallel boolean NOT NULL DEFAULT false,
    -- As it was given, even if it is no cron expression.
    schedule text,
    -- What is wrong with the schedule, for people.
    schedule_error text,
    -- The boundary that it is armed for; null: none.
    next_run timestamptz,
    last_run timestamptz,
    last_run_ids text[] NOT NULL DEFAULT '{}',
    -- Sealed: the test account {username, password, login_path}.
    login bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Who saved it last, in whose name its runs start.
    updated_by text NOT NULL,
    PRIMARY KEY (org_id, id),
    CHECK (next_run IS NULL OR (schedule IS NOT NULL AND schedule_error IS NULL))
);
CREATE INDEX plan_newest ON runs.plan (org_id, created_at DESC, id DESC);
CREATE INDEX plan_due ON runs.plan (next_run) WHERE next_run IS NOT NULL;
CREATE INDEX plan_saved_by ON runs.plan (updated_by) WHERE updated_by <> '';

-- Of a plan's runs in turn, one is executed when all before it have ended.
ALTER TABLE runs.run ADD COLUMN in_turn boolean NOT NULL DEFAULT false;
-- Sealed: the test account that is logged in before its cases.
ALTER TABLE runs.run ADD COLUMN login bytea;
CREATE INDEX run_lane ON runs.run (org_id, plan_id, position)
    WHERE plan_id IS NOT NULL AND status IN ('queued', 'running');
