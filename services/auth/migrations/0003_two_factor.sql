-- Second factors: TOTP (RFC 6238) and recovery codes.

CREATE TABLE auth.two_factor (
    account_id text PRIMARY KEY REFERENCES auth.account ON DELETE CASCADE,
    -- The TOTP secret, encrypted under the service's key.
    sealed_secret bytea NOT NULL,
    -- Null until a first code has proved that the person's device has the secret.
    confirmed_at timestamptz,
    -- The newest time step that was used; none is used twice.
    last_step bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE auth.recovery_code (
    account_id text NOT NULL REFERENCES auth.account ON DELETE CASCADE,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    used_at timestamptz,
    PRIMARY KEY (account_id, digest)
);

-- A password was right and the code is still to come.
CREATE TABLE auth.login_challenge (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    account_id text NOT NULL REFERENCES auth.account ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX login_challenge_account ON auth.login_challenge (account_id);
CREATE INDEX login_challenge_expires ON auth.login_challenge (expires_at);
