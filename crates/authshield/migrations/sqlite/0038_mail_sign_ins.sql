-- Sign-ins by mail that wait for their code or their link.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE mail_sign_ins (
    -- A keyed hash of what the client keeps that asked.
    handle_hash BLOB PRIMARY KEY,
    -- A keyed hash of the code together with what the client keeps.
    code_hash   BLOB NOT NULL,
    -- A keyed hash of the token in the link.
    link_hash   BLOB NOT NULL,
    email       TEXT NOT NULL,
    -- Whose address it was when the mail was asked for.
    user_id     BLOB REFERENCES users (id) ON DELETE CASCADE,
    -- In which language somebody new reads.
    locale      TEXT NOT NULL,
    mail_id     BLOB NOT NULL,
    -- How many codes were shown.
    tries       INTEGER NOT NULL,
    created_at  TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    used_at     TEXT
) STRICT;
CREATE INDEX mail_sign_ins_by_user ON mail_sign_ins (user_id);
CREATE INDEX mail_sign_ins_by_end ON mail_sign_ins (expires_at);
