-- What a session was opened from, how it is renewed, and how failed tries are counted.

ALTER TABLE auth.session
    -- Renewed by refresh tokens, or carried by a browser's cookie.
    ADD COLUMN kind text NOT NULL DEFAULT 'api' CHECK (kind IN ('api', 'web')),
    ADD COLUMN client text NOT NULL DEFAULT '',
    ADD COLUMN user_agent text NOT NULL DEFAULT '',
    ADD COLUMN last_used_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX session_newest ON auth.session (account_id, created_at DESC, id DESC)
    WHERE ended_at IS NULL;

-- One row a refresh token; a used one stays until the session is swept, so that using it again is
-- noticed. The session is the family.
CREATE TABLE auth.refresh_token (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    account_id text NOT NULL,
    session_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    FOREIGN KEY (account_id, session_id) REFERENCES auth.session (account_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_token_session ON auth.refresh_token (account_id, session_id);
CREATE INDEX refresh_token_expires ON auth.refresh_token (expires_at);

-- The cookie of a browser, and the session it carries.
CREATE TABLE auth.web_session (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    account_id text NOT NULL,
    session_id text NOT NULL,
    -- Whether the cookie outlives the browser.
    remembered boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- When a newer cookie took its place; holds a moment longer, for requests under way.
    replaced_at timestamptz,
    FOREIGN KEY (account_id, session_id) REFERENCES auth.session (account_id, id) ON DELETE CASCADE
);
CREATE INDEX web_session_session ON auth.web_session (account_id, session_id);

-- One row an account, so that a newer letter kills the older one.
CREATE TABLE auth.sign_in_link (
    account_id text PRIMARY KEY REFERENCES auth.account ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

-- Failed tries by what they were made against: an account, an address, a code. Kept in a table, so
-- that a restart forgives nobody.
CREATE TABLE auth.throttle (
    bucket text NOT NULL,
    -- SHA-256 of what is counted: addresses of people who have no account are nobody's to keep.
    key bytea NOT NULL CHECK (octet_length(key) = 32),
    failures integer NOT NULL CHECK (failures > 0),
    ends_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, key)
);
CREATE INDEX throttle_ends ON auth.throttle (ends_at);
