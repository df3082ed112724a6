-- Letters are written as text and, where a template has one, as HTML.

ALTER TABLE auth.letter ADD COLUMN html text;

-- Keys are of three kinds that begin differently; a rotated one names its successor.
ALTER TABLE auth.api_key
    ADD COLUMN kind text NOT NULL DEFAULT 'organization'
        CHECK (kind IN ('organization', 'device', 'personal')),
    ADD COLUMN replaced_by text;
CREATE INDEX api_key_personal ON auth.api_key (account_id, created_at DESC)
    WHERE kind = 'personal' AND revoked_at IS NULL;
