-- This number is kept for causes; until then nothing changes.
SELECT;
