-- Which installation this is, what it was started with, and which programs its schema tolerates.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE installation (
    -- There is one.
    slot               INTEGER PRIMARY KEY CHECK (slot = 1),
    id                 BLOB NOT NULL,
    -- Raised by a restore: what was issued before is worth nothing afterwards.
    token_epoch        INTEGER NOT NULL,
    created_at         TEXT NOT NULL,
    restored_at        TEXT,
    -- The newest backup that was restored for trial: when it was made, and when it was tried.
    backup_made_at     TEXT,
    backup_verified_at TEXT
) STRICT;

CREATE TABLE config_history (
    id       BLOB PRIMARY KEY,
    at       TEXT NOT NULL,
    version  TEXT NOT NULL,
    digest   TEXT NOT NULL,
    -- A keyed fingerprint of each setting that has a value.
    settings TEXT NOT NULL,
    -- The names of those that changed since the start before.
    changes  TEXT NOT NULL
) STRICT;
CREATE INDEX config_history_by_time ON config_history (at, id);

CREATE TABLE schema_notes (
    -- Of a migration that was applied.
    version INTEGER PRIMARY KEY,
    phase   TEXT NOT NULL,
    -- The oldest program that works with it.
    oldest  TEXT NOT NULL
) STRICT;
