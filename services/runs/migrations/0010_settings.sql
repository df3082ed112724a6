-- What organizations have stored of other systems; every value is sealed.

CREATE TABLE runs.setting (
    org_id text NOT NULL,
    key text NOT NULL CHECK (key ~ '^[A-Z][A-Z_]{1,39}$'),
    value bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, key)
);
