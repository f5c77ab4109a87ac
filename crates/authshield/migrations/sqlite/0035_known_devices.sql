-- Where somebody signed in before, and accounts that wait for a new password.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
-- Since when an account waits for a password that its owner chooses by mail: until then nothing opens a
-- session of it, not even a passkey.
ALTER TABLE users ADD COLUMN recovery_since TEXT;

CREATE TABLE known_devices (
    -- A keyed hash of the account, the device and the network.
    device        BLOB PRIMARY KEY,
    user_id       BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- What it is, for people.
    label         TEXT NOT NULL,
    -- The address of the client, or the /64 of an IPv6 address.
    network       TEXT NOT NULL,
    -- How many sign-ins there were.
    sign_ins      INTEGER NOT NULL,
    first_seen_at TEXT NOT NULL,
    last_seen_at  TEXT NOT NULL,
    expires_at    TEXT NOT NULL
) STRICT;
CREATE INDEX known_devices_by_user ON known_devices (user_id, first_seen_at);
CREATE INDEX known_devices_by_end ON known_devices (expires_at);
