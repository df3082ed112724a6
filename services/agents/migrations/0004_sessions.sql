-- Sessions, their messages, and the work that is to be done for them.

CREATE TABLE agents.session (
    id uuid PRIMARY KEY,
    namespace text NOT NULL CHECK (namespace ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
    starting_prompt text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'INIT'
        CHECK (state IN ('INIT', 'READY', 'IDLE', 'BUSY', 'ERROR')),
    -- A session that is READY is shown as BUSY until then, because the reply that ended the turn has
    -- its time only then.
    busy_until timestamptz,
    -- Null or 0: never.
    waiting_timeout_seconds integer CHECK (waiting_timeout_seconds BETWEEN 0 AND 86400),
    -- When a session that is READY becomes IDLE, if nothing happens before.
    idle_at timestamptz CHECK (idle_at IS NULL OR state = 'READY'),
    container_id text,
    persistent_volume_id text,
    -- The principal whose it is, for ever: an account of the same name is somebody else.
    owner_type text NOT NULL CHECK (owner_type IN ('ServiceAccount', 'User', 'Subject')),
    owner_id text NOT NULL,
    -- What the owner was called.
    created_by text NOT NULL,
    parent_session_id uuid,
    -- Speaks the dialect of clients that say "space".
    is_space boolean NOT NULL DEFAULT false,
    -- As sent.
    metadata json NOT NULL DEFAULT '{}',
    -- What the provider keeps from turn to turn.
    memory json NOT NULL DEFAULT '{}',
    -- Of the newest message, state change or job; they share one sequence.
    number bigint NOT NULL DEFAULT 0,
    turns bigint NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    -- Millionths of a dollar.
    cost_micros bigint NOT NULL DEFAULT 0,
    -- Bytes of what is long, so that a list knows how much it will read.
    size integer NOT NULL GENERATED ALWAYS AS (
        octet_length(starting_prompt) + octet_length(metadata::text)) STORED,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    last_activity_at timestamptz,
    terminated_at timestamptz,
    termination_reason text,
    deleted_at timestamptz,
    CHECK (state <> 'ERROR' OR terminated_at IS NOT NULL),
    CHECK (state = 'ERROR' OR deleted_at IS NOT NULL OR terminated_at IS NULL)
);
-- Lists look once for each state and namespace that they show, and merge what they find.
CREATE INDEX session_owner ON agents.session
    (owner_type, owner_id, state, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX session_owner_namespace ON agents.session
    (owner_type, owner_id, namespace, state, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX session_created_by ON agents.session
    (created_by, state, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX session_created_by_namespace ON agents.session
    (created_by, namespace, state, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX session_namespace ON agents.session
    (namespace, state, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX session_state ON agents.session (state, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX session_held ON agents.session (busy_until)
    WHERE busy_until IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX session_idle ON agents.session (idle_at) WHERE idle_at IS NOT NULL;
-- Those that must not stay as they are.
CREATE INDEX session_passing ON agents.session (last_activity_at)
    WHERE state IN ('INIT', 'BUSY') AND deleted_at IS NULL;
-- Those that need a runner.
CREATE INDEX session_standing ON agents.session (id)
    WHERE state IN ('READY', 'BUSY') AND deleted_at IS NULL;
CREATE INDEX session_deleted ON agents.session (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE agents.session_agent (
    session_id uuid NOT NULL REFERENCES agents.session ON DELETE CASCADE,
    position smallint NOT NULL,
    agent_id uuid NOT NULL REFERENCES agents.agent,
    PRIMARY KEY (session_id, position),
    UNIQUE (session_id, agent_id)
);
CREATE INDEX session_agent_agent ON agents.session_agent (agent_id);

CREATE TABLE agents.message (
    session_id uuid NOT NULL REFERENCES agents.session ON DELETE CASCADE,
    number bigint NOT NULL,
    id uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('USER', 'AGENT', 'SYSTEM')),
    content text NOT NULL,
    agent_id uuid,
    agent_name text,
    -- As sent.
    metadata json NOT NULL DEFAULT '{}',
    -- Who posted it; null for what the service wrote.
    author_type text,
    author_id text,
    -- As whom knowledge is looked up for it: kind, subject, org, account, session.
    caller json,
    -- Of the USER message that it ends the turn of: each has one reply at most.
    reply_to bigint,
    -- Of a reply it may be up to a second ahead; until then only live streams tell of it.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (session_id, number)
);
CREATE UNIQUE INDEX message_reply ON agents.message (session_id, reply_to)
    WHERE reply_to IS NOT NULL;
CREATE INDEX message_time ON agents.message (session_id, created_at, number);
CREATE INDEX message_role ON agents.message (session_id, role, created_at, number);
CREATE INDEX message_author ON agents.message (author_type, author_id)
    WHERE author_id IS NOT NULL;

CREATE TABLE agents.state_change (
    session_id uuid NOT NULL REFERENCES agents.session ON DELETE CASCADE,
    number bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('INIT', 'READY', 'IDLE', 'BUSY', 'ERROR', 'DELETED')),
    reason text,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (session_id, number)
);
CREATE INDEX state_change_at ON agents.state_change (at);

-- One row for each session: who works on it. Whoever claims it takes the next fence, and writes only
-- while that is the newest and its time has not come again.
CREATE TABLE agents.work (
    session_id uuid PRIMARY KEY REFERENCES agents.session ON DELETE CASCADE,
    -- The session's, so that none waits behind all the sessions of another.
    namespace text NOT NULL,
    -- When somebody should look: at once, or when the lease ends. Null: there is nothing to do.
    due_at timestamptz,
    -- Rises with each reason to look, so that whoever lets go knows whether one came meanwhile.
    wakes bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    worker text,
    -- Turns that failed in a row.
    failures smallint NOT NULL DEFAULT 0,
    CHECK (worker IS NULL OR due_at IS NOT NULL)
);
CREATE INDEX work_due ON agents.work (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX work_namespace ON agents.work (namespace, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE agents.job (
    session_id uuid NOT NULL REFERENCES agents.session ON DELETE CASCADE,
    number bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('create_session', 'stop_session', 'reactivate_session',
                                       'destroy_session', 'run_turn')),
    state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'processing', 'completed', 'failed')),
    -- Of the USER message to be answered.
    message_number bigint CHECK ((message_number IS NOT NULL) = (kind = 'run_turn')),
    attempts smallint NOT NULL DEFAULT 0,
    reason text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz CHECK ((finished_at IS NULL) = (state IN ('pending', 'processing'))),
    PRIMARY KEY (session_id, number)
);
CREATE UNIQUE INDEX job_turn ON agents.job (session_id, message_number)
    WHERE message_number IS NOT NULL;
CREATE INDEX job_open ON agents.job (session_id, number)
    WHERE state IN ('pending', 'processing');
-- They are done before turns.
CREATE INDEX job_open_other ON agents.job (session_id, number)
    WHERE state IN ('pending', 'processing') AND kind <> 'run_turn';
CREATE INDEX job_finished ON agents.job (finished_at) WHERE finished_at IS NOT NULL;
