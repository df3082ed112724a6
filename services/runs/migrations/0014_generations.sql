-- This number is kept for generations; until then nothing changes.
SELECT;
