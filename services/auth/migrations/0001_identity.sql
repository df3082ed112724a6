-- People, their organizations, and the credentials they act with.

-- include: shared/bus/service.sql
-- include: shared/idempotency.sql

CREATE TABLE auth.account (
    id text PRIMARY KEY,
    -- As typed, for delivery; email_key is its normal form, by which addresses are compared.
    email text NOT NULL,
    email_key text NOT NULL UNIQUE,
    name text NOT NULL,
    -- argon2id; null for one who signs in by other means.
    password_hash text,
    platform_admin boolean NOT NULL DEFAULT false,
    -- The organization the person acts in; null until the address is verified.
    active_org_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    verified_at timestamptz,
    disabled_at timestamptz
);
CREATE INDEX account_newest ON auth.account (created_at DESC, id DESC);

-- One row an account, so that a newer mail kills the older one.
CREATE TABLE auth.email_verification (
    account_id text PRIMARY KEY REFERENCES auth.account ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    expires_at timestamptz NOT NULL
);

CREATE TABLE auth.organization (
    id text PRIMARY KEY,
    name text NOT NULL,
    -- The agents surface's namespace.
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    plan text NOT NULL DEFAULT 'free',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX organization_newest ON auth.organization (created_at DESC, id DESC);

-- One sequence for all memberships: a membership that ends and comes back still counts on.
CREATE SEQUENCE auth.membership_version;

CREATE TABLE auth.membership (
    org_id text NOT NULL REFERENCES auth.organization ON DELETE CASCADE,
    account_id text NOT NULL REFERENCES auth.account ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    version bigint NOT NULL DEFAULT nextval('auth.membership_version'),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, account_id)
);
CREATE INDEX membership_account ON auth.membership (account_id);

ALTER TABLE auth.account
    ADD FOREIGN KEY (active_org_id) REFERENCES auth.organization ON DELETE SET NULL;
CREATE INDEX account_active_org ON auth.account (active_org_id);

CREATE TABLE auth.session (
    account_id text NOT NULL REFERENCES auth.account ON DELETE CASCADE,
    id text NOT NULL,
    org_id text NOT NULL REFERENCES auth.organization ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX session_org ON auth.session (org_id);
CREATE INDEX session_expires ON auth.session (expires_at);

CREATE TABLE auth.api_key (
    org_id text NOT NULL REFERENCES auth.organization ON DELETE CASCADE,
    id text NOT NULL,
    account_id text NOT NULL REFERENCES auth.account ON DELETE CASCADE,
    name text NOT NULL,
    -- Enough of the secret to recognize it by.
    prefix text NOT NULL,
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX api_key_newest ON auth.api_key (org_id, created_at DESC, id DESC)
    WHERE revoked_at IS NULL;
CREATE INDEX api_key_account ON auth.api_key (account_id);

-- When a public key was first offered; it signs only after everyone has had time to fetch it.
CREATE TABLE auth.signing_key (
    kid text PRIMARY KEY,
    first_seen_at timestamptz NOT NULL DEFAULT now()
);

-- Letters that wait to be sent; a sent one is deleted, since its text may hold a token.
CREATE TABLE auth.letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Moved on by each attempt: the sender's lease and the pause before the next one.
    due_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX letter_due ON auth.letter (due_at);
