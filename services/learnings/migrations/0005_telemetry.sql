-- What clients tell of their tools' use (learnings contract, section 5.2), by day of receipt.
CREATE TABLE learnings.telemetry_event (
    org_id               text             NOT NULL,
    -- Of receipt, in UTC; a day is dropped as a whole.
    day                  date             NOT NULL,
    -- Of the request that brought it.
    batch                bigint           NOT NULL,
    received_at          timestamptz      NOT NULL,
    time                 timestamptz      NOT NULL,
    -- The client's, else the key's where it sent none.
    installation_id      text             NOT NULL,
    event_type           text             NOT NULL,
    session_id           text,
    run_id               text,
    framework_version    text,
    python_version       text,
    os_platform          text,
    tool_name            text,
    duration_ms          double precision,
    status               text             CHECK (status IN ('success', 'error')),
    error_type           text,
    phase                text,
    ceremony_score       double precision,
    input_tokens         bigint,
    output_tokens        bigint,
    cost_usd             double precision,
    pytest_passed        boolean,
    test_count           bigint,
    coverage_pct         double precision,
    static_checks_passed boolean,
    mypy_passed          boolean,
    attributes           jsonb,
    payload              jsonb
) PARTITION BY RANGE (day);

CREATE INDEX telemetry_event_time ON learnings.telemetry_event (org_id, time);
CREATE INDEX telemetry_event_batch ON learnings.telemetry_event (batch);

-- What was received of late, so that nothing counts twice: each event by a digest of its id or
-- content, which holds the installation.
CREATE TABLE learnings.telemetry_seen (
    org_id  text        NOT NULL,
    digest  bytea       NOT NULL,
    day     date        NOT NULL,
    seen_at timestamptz NOT NULL,
    -- Some clients tell each tool call twice, once with an id and once without. What both share:
    -- a hash of installation, tool and duration; null where there is, or can be, no other half.
    pair    bigint,
    with_id boolean     NOT NULL,
    time    timestamptz NOT NULL,
    PRIMARY KEY (org_id, digest, day)
) PARTITION BY RANGE (day);

CREATE INDEX telemetry_seen_pair ON learnings.telemetry_seen (org_id, pair, time)
    WHERE pair IS NOT NULL;

-- Requests whose events are not in the figures yet.
CREATE TABLE learnings.telemetry_batch (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id text   NOT NULL,
    day    date   NOT NULL
);
CREATE INDEX telemetry_batch_org ON learnings.telemetry_batch (org_id, id);

-- Figures by day of the events' own time; they outlive the events. An empty installation_id is
-- the whole organization.
CREATE TABLE learnings.telemetry_tool (
    org_id          text             NOT NULL,
    installation_id text             NOT NULL,
    day             date             NOT NULL,
    tool_name       text             NOT NULL,
    event_type      text             NOT NULL,
    outcome         text             NOT NULL CHECK (outcome IN ('success', 'error', '')),
    count           bigint           NOT NULL,
    timed           bigint           NOT NULL,
    duration_ms     double precision NOT NULL,
    input_tokens    bigint           NOT NULL,
    output_tokens   bigint           NOT NULL,
    cost_usd        double precision NOT NULL,
    -- How many took how long, in steps of the root of two.
    histogram       bigint[]         NOT NULL,
    PRIMARY KEY (org_id, installation_id, day, tool_name, event_type, outcome)
);

CREATE TABLE learnings.telemetry_day (
    org_id          text   NOT NULL,
    installation_id text   NOT NULL,
    day             date   NOT NULL,
    -- First seen on that day.
    sessions        bigint NOT NULL,
    PRIMARY KEY (org_id, installation_id, day)
);
CREATE INDEX telemetry_day_installations ON learnings.telemetry_day (org_id, day)
    INCLUDE (installation_id) WHERE installation_id <> '';

CREATE TABLE learnings.telemetry_session (
    org_id          text NOT NULL,
    installation_id text NOT NULL,
    session_id      text NOT NULL,
    day             date NOT NULL,
    PRIMARY KEY (org_id, installation_id, session_id)
);
CREATE INDEX telemetry_session_day ON learnings.telemetry_session (day);

-- Add up two histograms.
CREATE FUNCTION learnings.added(one bigint[], other bigint[]) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT array_agg(coalesce(a, 0) + coalesce(b, 0) ORDER BY place)
              FROM unnest(one, other) WITH ORDINALITY AS pairs (a, b, place));

-- Make the partitions of some days. They are attached rather than made in place, because that
-- stops nobody who writes.
CREATE FUNCTION learnings.make_telemetry_days(first_day date, last_day date) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    kind text;
    one  date;
    part text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('telemetry days', 0));
    FOREACH kind IN ARRAY ARRAY['telemetry_event', 'telemetry_seen'] LOOP
        FOR one IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
            part := kind || '_' || to_char(one, 'YYYYMMDD');
            CONTINUE WHEN to_regclass('learnings.' || part) IS NOT NULL;
            EXECUTE format('CREATE TABLE learnings.%I (LIKE learnings.%I INCLUDING DEFAULTS'
                           ' INCLUDING CONSTRAINTS)', part, kind);
            EXECUTE format('ALTER TABLE learnings.%I ATTACH PARTITION learnings.%I'
                           ' FOR VALUES FROM (%L) TO (%L)', kind, part, one, one + 1);
        END LOOP;
    END LOOP;
END $$;

-- Drop the partitions of days before some; give how many went.
CREATE FUNCTION learnings.drop_telemetry_days(kind text, first_kept date) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    part text;
    gone integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('telemetry days', 0));
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = ('learnings.' || kind)::regclass
           AND c.relname < kind || '_' || to_char(first_kept, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE learnings.%I', part);
        gone := gone + 1;
    END LOOP;
    RETURN gone;
END $$;

-- Store a request's events but those received before, and give how many were stored.
--
-- A function, because what is new can only be told by a statement that begins after the locks are
-- held, and because the locks are then held without waiting for the caller. `locks` are in order,
-- and cover the installations of the request; of an event's `mates` the place of its other half in
-- the same request; `keep` is false for the half that is left out. `lasting` events have a time or
-- id of their own: sent again day after day they stay known.
CREATE FUNCTION learnings.take_telemetry(
    for_org text, locks bigint[],
    digests bytea[], pairs bigint[], with_ids boolean[], lasting boolean[], mates integer[],
    keep boolean[],
    times timestamptz[], installation_ids text[], event_types text[], session_ids text[],
    run_ids text[], framework_versions text[], python_versions text[], os_platforms text[],
    tool_names text[], durations double precision[], statuses text[], error_types text[],
    phases text[], ceremony_scores double precision[], inputs bigint[], outputs bigint[],
    costs double precision[], pytests boolean[], test_counts bigint[],
    coverages double precision[], static_checks boolean[], mypys boolean[], attribute_sets jsonb[],
    payloads jsonb[]
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    key      bigint;
    at       timestamptz;
    today    date;
    since    timestamptz;
    known    bigint[];
    mated    bigint[] := '{}';
    taken    bytea[] := '{}';
    fresh    bytea[];
    half     record;
    batch_id bigint;
    stored   integer;
BEGIN
    FOREACH key IN ARRAY locks LOOP
        PERFORM pg_advisory_xact_lock(key);
    END LOOP;
    at := clock_timestamp();
    today := (at AT TIME ZONE 'UTC')::date;
    since := at - interval '24 hours';
    IF to_regclass('learnings.telemetry_event_' || to_char(today, 'YYYYMMDD')) IS NULL
       OR to_regclass('learnings.telemetry_seen_' || to_char(today, 'YYYYMMDD')) IS NULL THEN
        PERFORM learnings.make_telemetry_days(today, today);
    END IF;

    -- What was received yesterday, asked for one by one: no plan can turn that into a scan of the
    -- table. Then what was received today, which cannot be inserted again.
    SELECT coalesce(array_agg(i.n), '{}') INTO known
      FROM unnest(digests) WITH ORDINALITY AS i (digest, n)
     WHERE (SELECT true FROM learnings.telemetry_seen AS s
             WHERE s.org_id = for_org AND s.digest = i.digest
               AND s.day = today - 1 AND s.seen_at > since LIMIT 1);
    WITH made AS (
        INSERT INTO learnings.telemetry_seen (org_id, digest, day, seen_at, pair, with_id, time)
        SELECT for_org, i.digest, today, at, i.pair, i.with_id, coalesce(i.time, at)
          FROM unnest(digests, pairs, with_ids, times) WITH ORDINALITY
               AS i (digest, pair, with_id, time, n)
         WHERE NOT i.n = ANY (known)
            ON CONFLICT (org_id, digest, day) DO NOTHING
        RETURNING digest
    )
    SELECT coalesce(array_agg(digest), '{}') INTO fresh FROM made;
    IF cardinality(fresh) + cardinality(known) < cardinality(digests) THEN
        SELECT array_agg(i.n) INTO known
          FROM unnest(digests) WITH ORDINALITY AS i (digest, n)
          LEFT JOIN unnest(fresh) AS f (digest) ON f.digest = i.digest
         WHERE f.digest IS NULL;
    END IF;

    IF mates IS NOT NULL AND known <> '{}' THEN
        SELECT coalesce(array_agg(i.n), '{}'), coalesce(array_agg(digests[i.mate]), '{}')
          INTO mated, taken
          FROM unnest(mates) WITH ORDINALITY AS i (mate, n)
         WHERE i.mate = ANY (known) AND NOT i.n = ANY (known);
    END IF;
    IF pairs IS NOT NULL THEN
        FOR half IN
            SELECT i.n, s.digest
              FROM unnest(pairs, with_ids, times) WITH ORDINALITY AS i (pair, with_id, time, n)
             CROSS JOIN LATERAL (
                   SELECT k.digest, k.time FROM learnings.telemetry_seen AS k
                    WHERE k.org_id = for_org AND k.pair = i.pair
                      AND k.day BETWEEN today - 1 AND today AND k.seen_at > since
                      AND k.with_id <> i.with_id
                      AND k.time BETWEEN i.time - interval '2 s' AND i.time + interval '2 s'
                   LIMIT 20) AS s
             WHERE i.pair IS NOT NULL AND NOT i.n = ANY (known)
             ORDER BY abs(extract(epoch FROM s.time - i.time)), i.n
        LOOP
            CONTINUE WHEN half.n = ANY (mated) OR half.digest = ANY (taken);
            mated := mated || half.n;
            taken := taken || half.digest;
        END LOOP;
    END IF;
    IF taken <> '{}' THEN
        -- Married now, and so no other's half any more.
        UPDATE learnings.telemetry_seen SET pair = NULL
         WHERE org_id = for_org AND day BETWEEN today - 1 AND today
           AND digest = ANY (taken || ARRAY(SELECT digests[n] FROM unnest(mated) AS m (n)));
    END IF;

    IF cardinality(known) < cardinality(digests) THEN
        batch_id := nextval('learnings.telemetry_batch_id_seq');
        INSERT INTO learnings.telemetry_event
        SELECT for_org, today, batch_id, at, coalesce(i.time, at), i.installation_id, i.event_type,
               i.session_id, i.run_id, i.framework_version, i.python_version, i.os_platform,
               i.tool_name, i.duration_ms, i.status, i.error_type, i.phase, i.ceremony_score,
               i.input, i.output, i.cost, i.pytest, i.test_count, i.coverage, i.static_check,
               i.mypy, i.attribute_set, i.payload
          FROM unnest(keep, times, installation_ids, event_types, session_ids, run_ids,
                      framework_versions, python_versions, os_platforms, tool_names, durations,
                      statuses, error_types, phases, ceremony_scores, inputs, outputs, costs,
                      pytests, test_counts, coverages, static_checks, mypys, attribute_sets,
                      payloads) WITH ORDINALITY
               AS i (keep, time, installation_id, event_type, session_id, run_id,
                     framework_version, python_version, os_platform, tool_name, duration_ms,
                     status, error_type, phase, ceremony_score, input, output, cost, pytest,
                     test_count, coverage, static_check, mypy, attribute_set, payload, n)
         WHERE i.keep AND NOT i.n = ANY (known) AND NOT i.n = ANY (mated);
        GET DIAGNOSTICS stored = ROW_COUNT;
        IF stored > 0 THEN
            INSERT INTO learnings.telemetry_batch (id, org_id, day)
            OVERRIDING SYSTEM VALUE VALUES (batch_id, for_org, today);
        END IF;
    END IF;
    IF known <> '{}' THEN
        -- Known since yesterday: keep knowing it from today on.
        INSERT INTO learnings.telemetry_seen (org_id, digest, day, seen_at, with_id, time)
        SELECT for_org, i.digest, today, at, i.with_id, coalesce(i.time, at)
          FROM unnest(digests, with_ids, lasting, times) WITH ORDINALITY
               AS i (digest, with_id, is_lasting, time, n)
         WHERE i.is_lasting AND i.n = ANY (known)
            ON CONFLICT (org_id, digest, day) DO NOTHING;
    END IF;
    RETURN coalesce(stored, 0);
END $$;

SELECT learnings.make_telemetry_days((now() AT TIME ZONE 'UTC')::date,
                                     (now() AT TIME ZONE 'UTC')::date + 3);
