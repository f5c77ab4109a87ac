-- Sign-ins by mail that wait for their code or their link.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE mail_sign_ins (
    -- A keyed hash of what the client keeps that asked.
    handle_hash BYTEA PRIMARY KEY,
    -- A keyed hash of the code together with what the client keeps.
    code_hash   BYTEA NOT NULL,
    -- A keyed hash of the token in the link.
    link_hash   BYTEA NOT NULL,
    email       TEXT NOT NULL,
    -- Whose address it was when the mail was asked for.
    user_id     UUID REFERENCES users (id) ON DELETE CASCADE,
    -- In which language somebody new reads.
    locale      TEXT NOT NULL,
    mail_id     UUID NOT NULL,
    -- How many codes were shown.
    tries       BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL,
    used_at     TIMESTAMPTZ
);
CREATE INDEX mail_sign_ins_by_user ON mail_sign_ins (user_id);
CREATE INDEX mail_sign_ins_by_end ON mail_sign_ins (expires_at);
