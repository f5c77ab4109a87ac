-- Which installation this is, what it was started with, and which programs its schema tolerates.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE installation (
    -- There is one.
    slot               BIGINT PRIMARY KEY CHECK (slot = 1),
    id                 UUID NOT NULL,
    -- Raised by a restore: what was issued before is worth nothing afterwards.
    token_epoch        BIGINT NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    restored_at        TIMESTAMPTZ,
    -- The newest backup that was restored for trial: when it was made, and when it was tried.
    backup_made_at     TIMESTAMPTZ,
    backup_verified_at TIMESTAMPTZ
);

CREATE TABLE config_history (
    id       UUID PRIMARY KEY,
    at       TIMESTAMPTZ NOT NULL,
    version  TEXT NOT NULL,
    digest   TEXT NOT NULL,
    -- A keyed fingerprint of each setting that has a value.
    settings JSONB NOT NULL,
    -- The names of those that changed since the start before.
    changes  JSONB NOT NULL
);
CREATE INDEX config_history_by_time ON config_history (at, id);

CREATE TABLE schema_notes (
    -- Of a migration that was applied.
    version BIGINT PRIMARY KEY,
    phase   TEXT NOT NULL,
    -- The oldest program that works with it.
    oldest  TEXT NOT NULL
);
