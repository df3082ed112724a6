-- Machines that a team's owner has removed: no invitation lets them in until the owner does.
CREATE TABLE teams.removal (
    team_id    uuid        NOT NULL REFERENCES teams.team (id) ON DELETE CASCADE,
    token      text        NOT NULL,
    removed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, token)
);
