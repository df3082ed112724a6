-- Run once by the postgres image on an empty data directory: one role and one schema per service,
-- each role at home in its own schema only. `guildhall up` makes the same (guildhall/provision.py).
-- Passwords come from the container's environment; a missing one is a syntax error that stops here.

\getenv auth GUILDHALL_AUTH_DB_PASSWORD
\getenv learnings GUILDHALL_LEARNINGS_DB_PASSWORD
\getenv runs GUILDHALL_RUNS_DB_PASSWORD
\getenv teams GUILDHALL_TEAMS_DB_PASSWORD
\getenv agents GUILDHALL_AGENTS_DB_PASSWORD
\getenv bus GUILDHALL_BUS_DB_PASSWORD

-- A failing statement must not put a password into the server's log.
SET log_min_error_statement = 'panic';

REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', 'guildhall_' || name, password),
       format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), 'guildhall_' || name),
       format('CREATE SCHEMA %I AUTHORIZATION %I', name, 'guildhall_' || name)
FROM (VALUES
    ('auth', :'auth'),
    ('learnings', :'learnings'),
    ('runs', :'runs'),
    ('teams', :'teams'),
    ('agents', :'agents'),
    ('bus', :'bus')
) AS service (name, password)
\gexec

-- pgvector, where the image has it; nothing needs it.
SELECT sentence FROM (VALUES
    (1, 'CREATE SCHEMA extensions'),
    (2, 'GRANT USAGE ON SCHEMA extensions TO guildhall_auth, guildhall_learnings, guildhall_runs, '
        'guildhall_teams, guildhall_agents, guildhall_bus'),
    (3, 'CREATE EXTENSION vector SCHEMA extensions')
) AS making (place, sentence)
WHERE EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')
ORDER BY place
\gexec
