-- This number is kept for trackers; until then nothing changes.
SELECT;
