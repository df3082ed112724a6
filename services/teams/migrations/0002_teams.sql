-- A machine is the holder of a key pair; nobody registers one, so a row comes with its first team.
-- Its row is what serializes what a machine does to its own memberships.
CREATE TABLE teams.machine (
    token      text        PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- When it last pushed knowledge through a socket: one push a second.
    pushed_at  timestamptz NOT NULL DEFAULT '-infinity'
);

CREATE TABLE teams.team (
    id             uuid        PRIMARY KEY,
    name           text        NOT NULL,
    -- As they are sent: wire JSON, absent keys left out.
    members        json        NOT NULL DEFAULT '[]',
    skills         json        NOT NULL DEFAULT '[]',
    platforms      json        NOT NULL DEFAULT '[]',
    knowledge      text        NOT NULL DEFAULT '',
    hash           text        NOT NULL,
    members_hash   text        NOT NULL,
    skills_hash    text        NOT NULL,
    knowledge_hash text        NOT NULL,
    -- Digests of the parts that its newest version consists of, and that version's number.
    members_part   bytea       NOT NULL,
    skills_part    bytea       NOT NULL,
    knowledge_part bytea       NOT NULL,
    version        integer     NOT NULL,
    -- Rises with every change of the row that a reader could see, for ETags.
    revision       bigint      NOT NULL DEFAULT 1,
    -- The numbers given out last.
    news_number    bigint      NOT NULL DEFAULT 0,
    task_number    integer     NOT NULL DEFAULT 0,
    visibility     text        NOT NULL DEFAULT 'private' CHECK (visibility IN ('private', 'public')),
    hide_souls     boolean     NOT NULL DEFAULT false,
    edit           text        NOT NULL DEFAULT 'members' CHECK (edit IN ('members', 'owner')),
    clone_token    text        UNIQUE,
    -- The account that owns it, and the organization it acted in, if it was made by a browser.
    owner          text,
    org_id         text,
    -- Of the secret that claims it while nobody owns it: a public digest to find it by, a slow hash.
    claim_lookup   bytea       UNIQUE,
    claim_hash     text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    deleted_at     timestamptz
);
-- Written with every push, and read as a whole: compressing it costs more than it saves.
ALTER TABLE teams.team ALTER COLUMN knowledge SET STORAGE EXTERNAL;
CREATE INDEX team_owner ON teams.team (owner) WHERE owner IS NOT NULL;
CREATE INDEX team_org ON teams.team (org_id) WHERE org_id IS NOT NULL;

CREATE TABLE teams.membership (
    token        text        NOT NULL,
    team_id      uuid        NOT NULL REFERENCES teams.team (id) ON DELETE CASCADE,
    scope        text        NOT NULL DEFAULT 'project',
    project_name text,
    -- The invitation by which it came, to count its uses.
    invite_id    uuid,
    joined_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (token, team_id)
);
CREATE INDEX membership_team ON teams.membership (team_id, joined_at);

-- Content of versions by its SHA-256, each text once per team: knowledge changes often, souls and skills seldom.
CREATE TABLE teams.part (
    team_id uuid  NOT NULL REFERENCES teams.team (id) ON DELETE CASCADE,
    digest  bytea NOT NULL,
    body    text  NOT NULL,
    PRIMARY KEY (team_id, digest)
);

CREATE TABLE teams.version (
    team_id    uuid        NOT NULL REFERENCES teams.team (id) ON DELETE CASCADE,
    number     integer     NOT NULL,
    name       text        NOT NULL,
    platforms  json        NOT NULL,
    members_part   bytea   NOT NULL,
    skills_part    bytea   NOT NULL,
    knowledge_part bytea   NOT NULL,
    hash       text        NOT NULL,
    actor      text        NOT NULL,
    summary    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, number)
);
CREATE INDEX version_age ON teams.version (created_at);

-- What sockets are told, in the order of commits: numbers are taken under the lock of the team.
CREATE TABLE teams.news (
    team_id    uuid        NOT NULL REFERENCES teams.team (id) ON DELETE CASCADE,
    number     bigint      NOT NULL,
    topic      text        NOT NULL CHECK (topic IN ('knowledge', 'tasks')),
    event      text        NOT NULL,
    payload    text        NOT NULL,
    -- What knowledge it tells: the digest of a part, whose text is left out of the payload.
    part       bytea,
    -- Who is not told: token:<token>, socket:<id>, or nobody.
    source     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, number)
);
CREATE INDEX news_age ON teams.news USING brin (created_at);

CREATE TABLE teams.task (
    team_id      uuid        NOT NULL REFERENCES teams.team (id) ON DELETE CASCADE,
    number       integer     NOT NULL,
    description  text        NOT NULL,
    assignee     text        NOT NULL,
    status       text        NOT NULL DEFAULT 'todo'
                 CHECK (status IN ('todo', 'in_progress', 'done', 'cancelled', 'failed')),
    created_by   text        NOT NULL,
    claimed_by   text,
    claimed_at   timestamptz,
    completed_at timestamptz,
    result       text,
    inserted_at  timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, number)
);
CREATE INDEX task_status ON teams.task (team_id, status, number);
CREATE INDEX task_assignee ON teams.task (team_id, assignee, number);

CREATE TABLE teams.invite (
    id         uuid        PRIMARY KEY,
    team_id    uuid        NOT NULL REFERENCES teams.team (id) ON DELETE CASCADE,
    -- SHA-256 of the code, which is never stored: 144 random bits need no slower hash.
    digest     bytea       NOT NULL UNIQUE,
    -- Its beginning, for people to tell invitations apart.
    hint       text        NOT NULL,
    made_by    text        NOT NULL,
    max_uses   integer     CHECK (max_uses > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX invite_team ON teams.invite (team_id, created_at DESC);
CREATE INDEX invite_expiry ON teams.invite (expires_at);

-- Distinct machines that came by an invitation, also those that have left.
CREATE TABLE teams.invite_use (
    invite_id uuid NOT NULL REFERENCES teams.invite (id) ON DELETE CASCADE,
    token     text NOT NULL,
    PRIMARY KEY (invite_id, token)
);

-- Signatures of requests that change something, for a minute (teams contract, section 2.1).
CREATE TABLE teams.replay (
    token     text        NOT NULL,
    -- SHA-256 of the signature, which opens the answer.
    signature bytea       NOT NULL,
    -- SHA-256 over method, target and body.
    request   bytea       NOT NULL,
    team_id   uuid,
    status    smallint,
    body      bytea,
    used_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (token, signature)
);
CREATE INDEX replay_age ON teams.replay (used_at);
CREATE INDEX replay_team ON teams.replay (team_id) WHERE status IS NOT NULL;
