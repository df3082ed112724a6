-- Namespaces of the agents surface in which the agents service has ever had something: no new
-- organization is called so, because it would administer what is there. Names stay for ever.
CREATE TABLE auth.namespace (
    namespace text PRIMARY KEY CHECK (namespace ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    heard_at timestamptz NOT NULL DEFAULT now()
);
