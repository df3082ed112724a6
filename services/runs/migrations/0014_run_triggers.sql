-- Runs in lists by what asked for them, newest first.

CREATE INDEX run_trigger ON runs.run (org_id, trigger, queued_at DESC, id DESC);
