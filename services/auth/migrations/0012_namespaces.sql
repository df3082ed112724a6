-- Namespaces of the agents surface in which the agents service has ever had something: no new
-- organization is called so, because it would administer what is there. They stay for ever, by
-- SHA-256 alone, since some were called after a person.
CREATE TABLE auth.namespace (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    heard_at timestamptz NOT NULL DEFAULT now()
);
