-- Whoever keeps more than a hundred versions keeps one of these among them: by a hundredth of the
-- versions the sweep finds the teams to look at. By age alone it would read, every hour, all old
-- versions that are kept because they are among the newest.
CREATE INDEX version_hundredth ON teams.version (team_id) WHERE number % 100 = 0;
DROP INDEX teams.version_age;
