-- The copy of access: what auth says of roles, bindings, service accounts and organizations.
-- Nothing refers to anything here: what is said may come in any order.

CREATE TABLE agents.access_copy (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- Of the snapshot: changes up to this number are in the copy.
    version bigint NOT NULL DEFAULT 0,
    -- The highest number heard of.
    newest bigint NOT NULL DEFAULT 0,
    -- All changes up to this number were heard.
    through bigint NOT NULL DEFAULT 0,
    -- What people hold in their organization's namespace, by their role there.
    standings jsonb CHECK (jsonb_typeof(standings) = 'object'),
    taken_at timestamptz,
    CHECK ((standings IS NULL) = (taken_at IS NULL))
);
INSERT INTO agents.access_copy DEFAULT VALUES;

-- The numbers of changes that were heard after a gap.
CREATE TABLE agents.access_news (
    version bigint PRIMARY KEY,
    heard_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What was deleted stays as a tombstone, as long as something older may still be heard.
CREATE TABLE agents.role (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    rules jsonb NOT NULL CHECK (jsonb_typeof(rules) = 'array'),
    version bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false
);

CREATE TABLE agents.role_binding (
    id uuid PRIMARY KEY,
    role_id uuid NOT NULL,
    principal_type text NOT NULL,
    principal_name text NOT NULL,
    -- Null while the name means no account.
    principal_id text,
    -- Null: everywhere.
    namespace text,
    version bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false
);
CREATE INDEX role_binding_principal ON agents.role_binding (principal_id)
    WHERE NOT deleted AND principal_id IS NOT NULL;
CREATE INDEX role_binding_name ON agents.role_binding (principal_name, principal_type)
    WHERE NOT deleted AND principal_id IS NULL;

CREATE TABLE agents.service_account (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    active boolean NOT NULL,
    version bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    heard_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Its events have no numbers: it is made once and deleted once, so a tombstone stays for ever.
CREATE TABLE agents.organization (
    id text PRIMARY KEY,
    -- Null: nothing but its end was heard of.
    slug text CHECK (slug IS NOT NULL OR deleted),
    deleted boolean NOT NULL DEFAULT false,
    heard_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
