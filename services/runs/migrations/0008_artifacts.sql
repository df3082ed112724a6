-- Folders of runs in the object store, so that what is there is deleted when its time has come.

CREATE TABLE runs.artifact_folder (
    org_id text NOT NULL,
    run_id text NOT NULL,
    -- Written so far.
    bytes bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When everything but the reports was deleted.
    cleared_at timestamptz,
    -- When its run was deleted; the row goes once nobody can still be writing.
    dropped_at timestamptz,
    PRIMARY KEY (org_id, run_id)
);
CREATE INDEX artifact_folder_old ON runs.artifact_folder (created_at)
    WHERE cleared_at IS NULL AND dropped_at IS NULL;
CREATE INDEX artifact_folder_dropped ON runs.artifact_folder (dropped_at)
    WHERE dropped_at IS NOT NULL;
