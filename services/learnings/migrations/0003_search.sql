-- Words and trigrams of a search.
SELECT 1;
