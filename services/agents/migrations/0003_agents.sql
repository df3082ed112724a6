-- Agents, the namespaces that were named by somebody, and who changed what.

CREATE TABLE agents.agent (
    id uuid PRIMARY KEY,
    namespace text NOT NULL CHECK (namespace ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    name text NOT NULL CHECK (name ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    description text CHECK (char_length(description) <= 1000),
    instructions text NOT NULL DEFAULT '' CHECK (char_length(instructions) <= 65535),
    model text NOT NULL CHECK (char_length(model) BETWEEN 1 AND 100),
    -- Any JSON, kept as it was given.
    tools json NOT NULL DEFAULT '[]' CHECK (octet_length(tools::text) <= 262144),
    routes json NOT NULL DEFAULT '[]' CHECK (octet_length(routes::text) <= 262144),
    guardrails json NOT NULL DEFAULT '[]' CHECK (octet_length(guardrails::text) <= 262144),
    knowledge_bases json NOT NULL DEFAULT '[]'
        CHECK (octet_length(knowledge_bases::text) <= 262144),
    -- Bytes of what is long, so that a list knows how much it will read.
    size integer NOT NULL GENERATED ALWAYS AS (
        octet_length(instructions) + octet_length(tools::text) + octet_length(routes::text)
        + octet_length(guardrails::text) + octet_length(knowledge_bases::text)) STORED,
    active boolean NOT NULL DEFAULT true,
    -- Rises with each change, so that a late event can be told from a new one.
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Deleted agents keep their names.
    CONSTRAINT agent_namespace_name UNIQUE (namespace, name)
);
-- Lists by name: of some namespaces and of all, with and without a model.
CREATE INDEX agent_namespace_active ON agents.agent (namespace, active, name);
CREATE INDEX agent_namespace_model ON agents.agent (namespace, active, model, name);
CREATE INDEX agent_active ON agents.agent (active, name, namespace);
CREATE INDEX agent_model ON agents.agent (active, model, name, namespace);
-- Since when there is something in a namespace.
CREATE INDEX agent_made ON agents.agent (namespace, created_at) WHERE active;

-- Namespaces that somebody made by name; others are there because something is in them.
CREATE TABLE agents.workspace (
    namespace text PRIMARY KEY CHECK (namespace ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    description text CHECK (char_length(description) <= 1000),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Who did what to agents and sessions, from where; without prompts, messages and secrets.
CREATE TABLE agents.audit_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    owner_type text NOT NULL
        CHECK (owner_type IN ('ServiceAccount', 'User', 'Subject', 'System')),
    owner_id text NOT NULL,
    owner_name text NOT NULL,
    action text NOT NULL CHECK (action ~ '^[a-z_]+(\.[a-z_]+)+$'),
    target text NOT NULL,
    detail jsonb NOT NULL CHECK (jsonb_typeof(detail) = 'object'),
    client text NOT NULL,
    user_agent text NOT NULL,
    request_id text NOT NULL
);
CREATE INDEX audit_event_namespace ON agents.audit_event (namespace, at DESC, id DESC);
CREATE INDEX audit_event_target ON agents.audit_event (target, at DESC, id DESC);
CREATE INDEX audit_event_owner ON agents.audit_event (owner_type, owner_id);
CREATE INDEX audit_event_at ON agents.audit_event (at);
