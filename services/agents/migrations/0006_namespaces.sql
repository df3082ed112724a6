-- Namespaces in which there was ever something, each said once, so that auth calls no organization
-- so. They stay for ever, by SHA-256 alone, since some were called after a person; nobody needs to
-- be told of the one that all share.
CREATE TABLE agents.namespace (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO agents.namespace (digest) VALUES (sha256('default'));

-- What is there already is said now.
WITH used AS (
    SELECT namespace, gen_random_uuid() AS event_id
      FROM (SELECT namespace FROM agents.agent
             UNION SELECT namespace FROM agents.session
             UNION SELECT namespace FROM agents.workspace) AS any_of_them
     WHERE namespace <> 'default'
), claimed AS (
    INSERT INTO agents.namespace (digest)
    SELECT sha256(convert_to(namespace, 'UTF8')) FROM used
)
INSERT INTO agents.outbox (event_id, kind, occurred_at, payload)
SELECT event_id, 'namespace.claimed.v1', now(),
       json_build_object('event_id', event_id, 'occurred_at', now(), 'namespace', namespace)::text
  FROM used;
