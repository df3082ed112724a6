-- What recording decides by: feed ids, texts that are the same or nearly so, what was served.

ALTER TABLE learnings.learning
    -- The id under which other clients know it: permanent, unique in the organization.
    ADD COLUMN feed_id    text,
    -- How it came: by POST, by push, or from an event.
    ADD COLUMN came_by    text    NOT NULL DEFAULT 'post' CHECK (came_by IN ('post', 'push', 'event')),
    -- The writer's own count of writes to it, where the writer keeps one.
    ADD COLUMN client_seq bigint,
    -- SHA-256 over the normal form of summary and detail.
    ADD COLUMN text_hash  bytea,
    -- Salted hashes: of the trigrams of summary and tags, for search; of what nearly equal
    -- summaries share, for near duplicates.
    ADD COLUMN grams      integer[] NOT NULL DEFAULT '{}',
    ADD COLUMN bands      integer[] NOT NULL DEFAULT '{}',
    -- Whether clients were ever given it: what they have must be taken back when it goes.
    ADD COLUMN served     boolean NOT NULL DEFAULT true;

UPDATE learnings.learning SET feed_id = id;
ALTER TABLE learnings.learning ALTER COLUMN feed_id SET NOT NULL;

CREATE UNIQUE INDEX learning_feed_id ON learnings.learning (org_id, feed_id);
-- Of live learnings that say the same, one is served. Two that are recorded at once find out here.
CREATE UNIQUE INDEX learning_text ON learnings.learning (org_id, text_hash)
    WHERE duplicate_of IS NULL AND status IN ('active', 'resolved') AND text_hash IS NOT NULL;
-- Who says the same: found by what stands for them, and by the text, oldest first.
CREATE INDEX learning_duplicates ON learnings.learning (org_id, duplicate_of)
    WHERE duplicate_of IS NOT NULL;
CREATE INDEX learning_heirs ON learnings.learning (org_id, text_hash, created_at, id)
    WHERE duplicate_of IS NOT NULL AND status IN ('active', 'resolved');
CREATE INDEX learning_source ON learnings.learning (org_id, source_learning_id, recorded_by)
    WHERE source_learning_id IS NOT NULL;
-- No pending list, which every write would have to read, as every write looks here first.
CREATE INDEX learning_bands ON learnings.learning USING gin (bands) WITH (fastupdate = off);

-- What clients pull, in the order in which it was committed.
CREATE INDEX learning_feed ON learnings.learning (org_id, sync_seq) INCLUDE (origin) WHERE served;

-- The default lists leave duplicates out.
CREATE INDEX learning_all ON learnings.learning (org_id, created_at DESC, id DESC);
DROP INDEX learnings.learning_list;
-- With the tags in it, so that a common one is counted without reading learnings.
CREATE INDEX learning_list ON learnings.learning (org_id, created_at DESC, id DESC)
    INCLUDE (tags) WHERE duplicate_of IS NULL;
DROP INDEX learnings.learning_status;
CREATE INDEX learning_status ON learnings.learning (org_id, status, created_at DESC, id DESC)
    WHERE duplicate_of IS NULL;
DROP INDEX learnings.learning_type;
CREATE INDEX learning_type ON learnings.learning (org_id, type, created_at DESC, id DESC)
    WHERE duplicate_of IS NULL;
DROP INDEX learnings.learning_source_project;
CREATE INDEX learning_source_project
    ON learnings.learning (org_id, source_project, created_at DESC, id DESC)
    WHERE source_project IS NOT NULL AND duplicate_of IS NULL;
DROP INDEX learnings.learning_origin_project;
CREATE INDEX learning_origin_project
    ON learnings.learning (org_id, origin_project, created_at DESC, id DESC)
    WHERE origin_project IS NOT NULL AND duplicate_of IS NULL;
DROP INDEX learnings.learning_impact;
CREATE INDEX learning_impact
    ON learnings.learning (org_id, impact DESC, created_at DESC, id DESC)
    WHERE duplicate_of IS NULL;
DROP INDEX learnings.learning_updated;
CREATE INDEX learning_updated ON learnings.learning (org_id, updated_at DESC)
    WHERE duplicate_of IS NULL;

-- Landmarks move when a duplicate takes its original's place in the list or leaves it.
ALTER TABLE learnings.landmark DROP CONSTRAINT landmark_pkey;
ALTER TABLE learnings.landmark ADD PRIMARY KEY (org_id, created_at, id);
CREATE INDEX landmark_place ON learnings.landmark (org_id, place);
