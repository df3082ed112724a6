-- Versions of machines rise over all rows: of a token whose account has gone the row goes too, and
-- when somebody links it anew, whoever heard of the old row must not take the new one for older.
CREATE SEQUENCE auth.machine_version OWNED BY auth.machine.version;
SELECT setval('auth.machine_version', (SELECT coalesce(max(version), 0) + 1 FROM auth.machine), false);
ALTER TABLE auth.machine ALTER COLUMN version SET DEFAULT nextval('auth.machine_version');
