-- Machines, and the logins that a person approves in a browser for something that has none.

-- A key pair of the teams surface that was linked to an account. A revoked row stays.
CREATE TABLE auth.machine (
    token text PRIMARY KEY CHECK (token ~ '^trc_ak_[A-Za-z0-9_-]{43}$'),
    id text NOT NULL UNIQUE,
    account_id text NOT NULL REFERENCES auth.account ON DELETE CASCADE,
    machine_name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz,
    revoked_at timestamptz,
    -- Whether its owner took it away; one that revoked itself may come back to teams.
    barred boolean NOT NULL DEFAULT false,
    -- Rises with each change, so that a consumer can tell a late event from a new one.
    version bigint NOT NULL DEFAULT 1
);
CREATE INDEX machine_account ON auth.machine (account_id, created_at DESC);

CREATE TABLE auth.device_login (
    -- SHA-256 of the device code.
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    -- api_key: RFC 8628, for a key. machine: the teams surface's, to link a machine.
    kind text NOT NULL CHECK (kind IN ('api_key', 'machine')),
    user_code text NOT NULL UNIQUE CHECK (user_code ~ '^[A-Z0-9]{4}-[A-Z0-9]{4}$'),
    client_name text NOT NULL,
    machine_token text,
    client text NOT NULL,
    user_agent text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'denied')),
    -- Who approved, and for which organization.
    account_id text REFERENCES auth.account ON DELETE CASCADE,
    org_id text REFERENCES auth.organization ON DELETE CASCADE,
    -- Seconds between two polls; grows when they come faster (RFC 8628 section 3.5).
    pace integer NOT NULL DEFAULT 5,
    polled_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CHECK ((kind = 'machine') = (machine_token IS NOT NULL))
);
CREATE INDEX device_login_machine ON auth.device_login (machine_token);
CREATE INDEX device_login_expires ON auth.device_login (kind, expires_at);
CREATE INDEX device_login_account ON auth.device_login (account_id);
CREATE INDEX device_login_org ON auth.device_login (org_id);
