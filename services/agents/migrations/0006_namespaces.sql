-- Namespaces in which there was ever something, each said once, so that auth calls no organization
-- so. Names stay for ever; nobody needs to be told of the one that all share.
CREATE TABLE agents.namespace (
    namespace text PRIMARY KEY CHECK (namespace ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO agents.namespace (namespace) VALUES ('default');

-- What is there already is said now.
WITH claimed AS (
    INSERT INTO agents.namespace (namespace)
    SELECT namespace FROM agents.agent
     UNION SELECT namespace FROM agents.session
     UNION SELECT namespace FROM agents.workspace
    ON CONFLICT DO NOTHING
    RETURNING namespace, gen_random_uuid() AS event_id
)
INSERT INTO agents.outbox (event_id, kind, occurred_at, payload)
SELECT event_id, 'namespace.claimed.v1', now(),
       json_build_object('event_id', event_id, 'occurred_at', now(), 'namespace', namespace)::text
  FROM claimed;
