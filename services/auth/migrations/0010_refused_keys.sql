-- Clients that go on showing a key that holds no more.

ALTER TABLE auth.api_key
    ADD COLUMN last_refused_at timestamptz,
    -- Minutes in which it was refused.
    ADD COLUMN refused_count bigint NOT NULL DEFAULT 0;
CREATE INDEX api_key_refused ON auth.api_key (org_id, last_refused_at DESC)
    WHERE last_refused_at IS NOT NULL;
