-- Where elements of steps were found, what people refused of it, and what was healed.

CREATE TABLE runs.resolution (
    org_id text NOT NULL,
    suite_id text NOT NULL,
    case_id text NOT NULL,
    step_id text NOT NULL,
    -- Which element of the step, from 0 on.
    part integer NOT NULL CHECK (part >= 0),
    -- SHA-256 of the step's text before values were put in, so that an index can hold it.
    template_hash bytea NOT NULL,
    -- SHA-256 of the path template, for the same reason.
    path_hash bytea NOT NULL,
    template text NOT NULL,
    path text NOT NULL,
    -- An object of words: role, name, label, test_id, css, neighbour, and the frame's chain.
    target jsonb NOT NULL,
    action jsonb NOT NULL DEFAULT '{}',
    -- That taught it; null: it was imported.
    run_id text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, suite_id, case_id, step_id, part, template_hash, path_hash)
);
CREATE INDEX resolution_newest ON runs.resolution (org_id, suite_id, updated_at DESC);

-- An element is known again by role and name, as the engine knows it.
CREATE TABLE runs.refused_target (
    org_id text NOT NULL,
    suite_id text NOT NULL,
    case_id text NOT NULL,
    step_id text NOT NULL,
    part integer NOT NULL CHECK (part >= 0),
    -- SHA-256 of role and name.
    target_hash bytea NOT NULL,
    target jsonb NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, suite_id, case_id, step_id, part, target_hash)
);

CREATE TABLE runs.heal (
    org_id text NOT NULL,
    id text NOT NULL,
    suite_id text NOT NULL,
    case_id text NOT NULL,
    step_id text NOT NULL,
    part integer NOT NULL CHECK (part >= 0),
    template text NOT NULL,
    path text NOT NULL,
    run_id text NOT NULL,
    -- SHA-256 of what the run could heal only once: case, step, part, template, path.
    place_hash bytea NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    score double precision NOT NULL,
    confidence double precision NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'accepted', 'rejected')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- An account; null while pending, '' when that account was erased.
    decided_by text,
    decided_at timestamptz,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, run_id, place_hash),
    CHECK ((status = 'pending') = (decided_at IS NULL)),
    CHECK ((status = 'pending') = (decided_by IS NULL))
);
CREATE INDEX heal_newest ON runs.heal (org_id, created_at DESC, id DESC);
CREATE INDEX heal_status ON runs.heal (org_id, status, created_at DESC, id DESC);
CREATE INDEX heal_suite ON runs.heal (org_id, suite_id, created_at DESC, id DESC);
CREATE INDEX heal_decided ON runs.heal (decided_by) WHERE decided_by <> '';
