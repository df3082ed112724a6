-- Telemetry events by day, repeats, roll-ups.
SELECT 1;
