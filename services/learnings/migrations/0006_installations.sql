-- Installations, submissions, outcomes.
SELECT 1;
