-- Codes that went by mail to who shows once more who they are, and has nothing else to show.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE proof_codes (
    -- The session that asked, or a keyed hash of the ticket; the newest code counts.
    asked_by   BYTEA PRIMARY KEY,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Where it went; it is worth nothing once the account has another address.
    email      TEXT NOT NULL,
    -- A keyed hash of the code together with who asked.
    code_hash  BYTEA NOT NULL,
    mail_id    UUID NOT NULL,
    -- How many codes were shown.
    tries      BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX proof_codes_by_user ON proof_codes (user_id);
CREATE INDEX proof_codes_by_end ON proof_codes (expires_at);
