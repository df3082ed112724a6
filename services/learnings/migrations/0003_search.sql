-- Words and trigrams of a search. An index over all tenants' words would make a small organization
-- pay for the large ones that use the same words: so what is indexed are hashes salted by the
-- organization.

DROP INDEX learnings.learning_search;
DROP INDEX learnings.learning_tags;

-- The parser takes "asyncpg.pool" and "/var/lib/x" for one word each; who looks for a part of such
-- a name should find it.
CREATE FUNCTION learnings.parted(words text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN translate(words, './\:@=_', '       ');

ALTER TABLE learnings.learning DROP COLUMN search;
ALTER TABLE learnings.learning ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (
    setweight(to_tsvector('english', learnings.parted(left(summary, 10000))), 'A')
    || setweight(to_tsvector('english', learnings.parted(left(learnings.words(tags), 10000))), 'B')
    || setweight(to_tsvector('english', learnings.parted(left(detail, 20000))), 'D')) STORED;

-- Kept beside the row, compressed if need be: a search reads it of every candidate, and a detour
-- for each of them costs more than the ranking.
ALTER TABLE learnings.learning ALTER COLUMN search SET STORAGE MAIN;

-- Dear, as the planner should know: with a filter on it, it must not read rows one by one.
CREATE FUNCTION learnings.word_keys(org_id text, search tsvector) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
    RETURN ARRAY(SELECT hashtextextended(word, hashtextextended(org_id, 0))
                   FROM unnest(tsvector_to_array(search)) AS word);

-- Short pending lists: a search reads all of them.
CREATE INDEX learning_words ON learnings.learning USING gin (learnings.word_keys(org_id, search))
    WITH (gin_pending_list_limit = 256);
CREATE INDEX learning_grams ON learnings.learning USING gin (grams)
    WITH (gin_pending_list_limit = 256);
