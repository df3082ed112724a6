-- Signing in with another issuer's account (OpenID Connect).

CREATE TABLE auth.external_identity (
    issuer text NOT NULL,
    subject text NOT NULL,
    account_id text NOT NULL REFERENCES auth.account ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_login_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX external_identity_account ON auth.external_identity (account_id);

-- A sign-in that was sent to an issuer and has not come back.
CREATE TABLE auth.external_login (
    -- SHA-256 of the state parameter.
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    -- SHA-256 of the cookie of the browser that began it.
    browser bytea NOT NULL CHECK (octet_length(browser) = 32),
    provider text NOT NULL,
    nonce text NOT NULL,
    -- The PKCE verifier (RFC 7636), encrypted under the service's key.
    sealed_verifier bytea NOT NULL,
    return_to text NOT NULL,
    -- Whom the identity is to be linked to; null for signing in.
    account_id text REFERENCES auth.account ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX external_login_expires ON auth.external_login (expires_at);
CREATE INDEX external_login_account ON auth.external_login (account_id);
