-- Passkeys, and the challenges that their authenticators are given.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE passkeys (
    id              UUID PRIMARY KEY,
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id   BYTEA NOT NULL UNIQUE,
    -- COSE.
    public_key      BYTEA NOT NULL,
    -- Of a synced passkey always zero.
    sign_count      BIGINT NOT NULL,
    backup_eligible BOOLEAN NOT NULL,
    backed_up       BOOLEAN NOT NULL,
    transports      JSONB NOT NULL,
    name            TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    last_used_at    TIMESTAMPTZ
);
CREATE INDEX passkeys_by_user ON passkeys (user_id, created_at, id);

CREATE TABLE passkey_challenges (
    challenge  BYTEA PRIMARY KEY,
    purpose    TEXT NOT NULL,
    -- The session or the waiting sign-in that it is for; of a sign-in without a name nothing yet.
    bound_to   BYTEA NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX passkey_challenges_by_end ON passkey_challenges (expires_at);
