-- What waits and what is executed, organization by organization.
CREATE INDEX run_waiting_there ON runs.run (org_id, position) WHERE status = 'queued';
CREATE INDEX run_running_there ON runs.run (org_id, position) WHERE status = 'running';
