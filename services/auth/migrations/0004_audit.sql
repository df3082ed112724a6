-- Who did what, from where. Written once, never changed.

CREATE TABLE auth.audit_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The organization it happened in; empty where it belongs to none.
    org_id text NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    action text NOT NULL CHECK (action ~ '^[a-z_]+(\.[a-z_]+)+$'),
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
    target text NOT NULL,
    detail jsonb NOT NULL,
    client text NOT NULL,
    user_agent text NOT NULL,
    request_id text NOT NULL
);
-- One organization's lists, by what they may be narrowed to; then the whole installation's.
CREATE INDEX audit_event_org ON auth.audit_event (org_id, occurred_at DESC, id DESC);
CREATE INDEX audit_event_org_action ON auth.audit_event (org_id, action, occurred_at DESC, id DESC);
CREATE INDEX audit_event_org_actor
    ON auth.audit_event (org_id, actor_id, occurred_at DESC, id DESC);
CREATE INDEX audit_event_newest ON auth.audit_event (occurred_at DESC, id DESC);
CREATE INDEX audit_event_action ON auth.audit_event (action, occurred_at DESC, id DESC);
CREATE INDEX audit_event_actor ON auth.audit_event (actor_id, occurred_at DESC, id DESC);

CREATE FUNCTION auth.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed';
END $$;

CREATE TRIGGER audit_event_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON auth.audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION auth.refuse_change();
