-- Second factors: secrets of authenticator apps, recovery codes, and sign-ins that wait for one.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
-- Since when an account has a second factor: from then on a password alone opens no session.
ALTER TABLE users ADD COLUMN second_factor_at TEXT;

CREATE TABLE totp_secrets (
    user_id       BLOB PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- Sealed under the master key.
    secret        BLOB NOT NULL,
    -- Who asked for it, a session or a ticket, and until when a first code may come from there; then
    -- both are erased.
    begun_by      BLOB,
    expires_at    TEXT,
    created_at    TEXT NOT NULL,
    -- When the first code was shown; before that the secret opens nothing.
    confirmed_at  TEXT,
    -- The time step of the last code that was taken: it and those before it are worth nothing.
    last_step     INTEGER NOT NULL,
    -- How many wrong codes there were since the last right one, and until when none is looked at.
    misses        INTEGER NOT NULL,
    blocked_until TEXT
) STRICT;
CREATE INDEX totp_secrets_by_end ON totp_secrets (expires_at);

CREATE TABLE recovery_codes (
    code_hash  BLOB PRIMARY KEY,
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    used_at    TEXT
) STRICT;
CREATE INDEX recovery_codes_by_user ON recovery_codes (user_id);

CREATE TABLE pending_sign_ins (
    token_hash BLOB PRIMARY KEY,
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- How many codes were tried.
    tries      INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at    TEXT
) STRICT;
CREATE INDEX pending_sign_ins_by_user ON pending_sign_ins (user_id);
CREATE INDEX pending_sign_ins_by_end ON pending_sign_ins (expires_at);
