-- Answers kept for Idempotency-Key, 24 hours (shared/idempotency.py).
CREATE TABLE {schema}.idempotency_key (
    principal   text        NOT NULL,
    operation   text        NOT NULL,
    key         text        NOT NULL,
    body_digest bytea       NOT NULL,
    status      smallint,
    body        bytea,
    media_type  text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal, operation, key)
);
CREATE INDEX idempotency_key_age ON {schema}.idempotency_key (created_at);
