-- Devices on which a sign-in does without the second factor, until they end.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE trusted_devices (
    id           UUID PRIMARY KEY,
    user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A keyed hash of what the device keeps.
    token_hash   BYTEA NOT NULL UNIQUE,
    -- What it calls itself, for people.
    device       TEXT NOT NULL,
    -- From where it was last used.
    ip_address   TEXT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    -- When it last spared a second factor.
    last_used_at TIMESTAMPTZ,
    expires_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX trusted_devices_by_user ON trusted_devices (user_id);
CREATE INDEX trusted_devices_by_end ON trusted_devices (expires_at);
