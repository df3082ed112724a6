-- Pictures that later ones are compared with, by name; the pictures themselves are in the store.

CREATE TABLE runs.baseline (
    org_id text NOT NULL,
    name text NOT NULL,
    -- Keys of pictures: what is compared with, what was compared last, and how they differ.
    picture text NOT NULL,
    latest text NOT NULL,
    difference text,
    sha256 bytea NOT NULL,
    latest_sha256 bytea NOT NULL,
    width integer NOT NULL CHECK (width > 0),
    height integer NOT NULL CHECK (height > 0),
    status text NOT NULL CHECK (status IN ('passed', 'failed')),
    observed text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    approved_at timestamptz,
    approved_by text,
    compared_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, name)
);

-- Every picture in the store, so that none is left behind: it is deleted when it is due.
CREATE TABLE runs.baseline_file (
    org_id text NOT NULL,
    key text NOT NULL,
    due_at timestamptz,
    PRIMARY KEY (org_id, key)
);
CREATE INDEX baseline_file_due ON runs.baseline_file (due_at) WHERE due_at IS NOT NULL;
