-- Passkeys, and the challenges that their authenticators are given.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE passkeys (
    id              BLOB PRIMARY KEY,
    user_id         BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id   BLOB NOT NULL UNIQUE,
    -- COSE.
    public_key      BLOB NOT NULL,
    -- Of a synced passkey always zero.
    sign_count      INTEGER NOT NULL,
    backup_eligible INTEGER NOT NULL,
    backed_up       INTEGER NOT NULL,
    transports      TEXT NOT NULL,
    name            TEXT NOT NULL,
    created_at      TEXT NOT NULL,
    last_used_at    TEXT
) STRICT;
CREATE INDEX passkeys_by_user ON passkeys (user_id, created_at, id);

CREATE TABLE passkey_challenges (
    challenge  BLOB PRIMARY KEY,
    purpose    TEXT NOT NULL,
    -- The session or the waiting sign-in that it is for; of a sign-in without a name nothing yet.
    bound_to   BLOB NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX passkey_challenges_by_end ON passkey_challenges (expires_at);
