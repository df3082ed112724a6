-- Losing a password, being invited, waiting, being forgotten.

ALTER TABLE auth.account
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    -- The organization whose admin said that the address is the person's, until a letter proves it.
    ADD COLUMN vouched_by text,
    -- A login that began before this moment proves nothing any more.
    ADD COLUMN password_set_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX account_platform_admin ON auth.account (id) WHERE platform_admin;
CREATE INDEX account_unverified ON auth.account (created_at) WHERE verified_at IS NULL;

CREATE INDEX membership_newest ON auth.membership (org_id, created_at DESC, account_id DESC);
CREATE INDEX membership_admin ON auth.membership (org_id, account_id) WHERE role <> 'member';

-- One row an account, so that a newer mail kills the older one.
CREATE TABLE auth.password_reset (
    account_id text PRIMARY KEY REFERENCES auth.account ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    expires_at timestamptz NOT NULL
);

-- Where an account is to move to, once a letter there has come back.
CREATE TABLE auth.email_change (
    account_id text PRIMARY KEY REFERENCES auth.account ON DELETE CASCADE,
    email text NOT NULL,
    email_key text NOT NULL,
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    expires_at timestamptz NOT NULL
);

CREATE TABLE auth.invitation (
    org_id text NOT NULL REFERENCES auth.organization ON DELETE CASCADE,
    id text NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    role text NOT NULL CHECK (role IN ('admin', 'member')),
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    invited_by text REFERENCES auth.account ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX invitation_newest ON auth.invitation (org_id, created_at DESC, id DESC)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitation_expires ON auth.invitation (expires_at);
CREATE INDEX invitation_email ON auth.invitation (email_key);
CREATE INDEX invitation_invited_by ON auth.invitation (invited_by);
CREATE UNIQUE INDEX invitation_open ON auth.invitation (org_id, email_key)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;

CREATE TABLE auth.waiting_person (
    id text PRIMARY KEY,
    email text NOT NULL,
    email_key text NOT NULL UNIQUE,
    signed_up_at timestamptz NOT NULL DEFAULT now(),
    converted_at timestamptz
);
CREATE INDEX waiting_person_newest ON auth.waiting_person (signed_up_at DESC, id DESC);

-- A request to be forgotten; it outlives the account, since it proves that all have forgotten.
CREATE TABLE auth.erasure (
    account_id text PRIMARY KEY,
    requested_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz
);
CREATE INDEX erasure_newest ON auth.erasure (requested_at DESC, account_id DESC);

CREATE TABLE auth.erasure_answer (
    account_id text NOT NULL REFERENCES auth.erasure ON DELETE CASCADE,
    service text NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, service)
);
