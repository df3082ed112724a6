-- Failures that are to be mirrored to trackers of others, and where they stand there.

CREATE TABLE runs.tracker_filing (
    org_id text NOT NULL,
    provider text NOT NULL CHECK (provider IN ('github', 'gitlab', 'jira')),
    -- Of the board's issue.
    number bigint NOT NULL,
    run_id text NOT NULL,
    case_id text NOT NULL,
    -- Filings of one issue are done one after the other, in this order.
    position bigint GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it is tried next; while somebody files it, when their lease ends.
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Counted when it is taken, so that it is the fence, too.
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    done_at timestamptz,
    -- Why it was given up, or how the last attempt failed.
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (org_id, provider, number, run_id)
);
CREATE INDEX tracker_filing_due ON runs.tracker_filing (due_at) WHERE done_at IS NULL;
CREATE INDEX tracker_filing_turn ON runs.tracker_filing (org_id, provider, number, position)
    WHERE done_at IS NULL;
CREATE INDEX tracker_filing_run ON runs.tracker_filing (org_id, run_id);
CREATE INDEX tracker_filing_done ON runs.tracker_filing (done_at) WHERE done_at IS NOT NULL;

-- Remembered, because a tracker's search may not show at once what was created a moment ago.
CREATE TABLE runs.tracker_link (
    org_id text NOT NULL,
    provider text NOT NULL,
    number bigint NOT NULL,
    -- The repository or project; somewhere else the same failure is another issue.
    place text NOT NULL,
    -- '' until it is known.
    key text NOT NULL DEFAULT '',
    -- When creating was begun whose answer nobody has heard.
    creating_at timestamptz,
    PRIMARY KEY (org_id, provider, number, place)
);
