-- Access of the agents surface: service accounts, roles, and who holds them where.

-- One row. Whoever changes access holds it until commit: changes come one after the other, and each
-- takes the next number, so that numbers rise without gaps in the order of commits. A copy made at
-- number n lacks exactly the changes after n.
CREATE TABLE auth.access_clock (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL DEFAULT 0
);
INSERT INTO auth.access_clock DEFAULT VALUES;

CREATE TABLE auth.service_account (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    password_hash text NOT NULL,
    -- The password is one that everybody knows; only ever true in development.
    must_change_password boolean NOT NULL DEFAULT false,
    description text,
    active boolean NOT NULL DEFAULT true,
    -- Rises on password change and deactivation; sessions of an older one are void.
    token_version integer NOT NULL DEFAULT 1,
    version bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_login_at timestamptz
);
CREATE INDEX service_account_newest ON auth.service_account (created_at DESC, id DESC);

CREATE TABLE auth.role (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    rules jsonb NOT NULL CHECK (jsonb_typeof(rules) = 'array'),
    description text,
    version bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX role_newest ON auth.role (created_at DESC, id DESC);

CREATE TABLE auth.role_binding (
    id uuid PRIMARY KEY,
    role_id uuid NOT NULL REFERENCES auth.role ON DELETE CASCADE,
    -- As sent; User and Subject mean the same.
    principal_type text NOT NULL
        CHECK (principal_type IN ('ServiceAccount', 'User', 'Subject', 'Group')),
    principal_name text NOT NULL,
    -- The account that the name meant when it was bound; null while there is none.
    principal_id text,
    -- The normal form of a name that may be a person's address.
    email_key text,
    -- Null: everywhere.
    namespace text CHECK (namespace ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    version bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (role_id, principal_name, principal_type, namespace)
);
CREATE INDEX role_binding_newest ON auth.role_binding (created_at DESC, id DESC);
CREATE INDEX role_binding_name ON auth.role_binding (principal_name, principal_type);
CREATE INDEX role_binding_principal ON auth.role_binding (principal_id);
CREATE INDEX role_binding_namespace ON auth.role_binding (namespace, created_at DESC, id DESC);
-- Names that wait for a person to verify the address.
CREATE INDEX role_binding_awaited ON auth.role_binding (email_key) WHERE principal_id IS NULL;

-- Sessions of service accounts and external subjects.
CREATE TABLE auth.principal_session (
    id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('service_account', 'subject')),
    -- The service account, or null for a subject.
    service_account_id uuid REFERENCES auth.service_account ON DELETE CASCADE,
    subject text NOT NULL,
    token_version integer NOT NULL DEFAULT 0,
    groups text[] NOT NULL DEFAULT '{}',
    client text NOT NULL,
    user_agent text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK ((kind = 'service_account') = (service_account_id IS NOT NULL))
);
CREATE INDEX principal_session_account ON auth.principal_session (service_account_id);
CREATE INDEX principal_session_expires ON auth.principal_session (expires_at);
