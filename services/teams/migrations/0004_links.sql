-- Up to which change of a machine's link to an account its memberships are true: what auth says of
-- that change or an earlier one comes late, and ends nothing.
ALTER TABLE teams.machine ADD COLUMN link_version bigint NOT NULL DEFAULT 0;
