-- Accounts, sessions, tokens, mail, keys and the audit trail.
CREATE TABLE users (
    id                  BLOB PRIMARY KEY,
    email               TEXT NOT NULL UNIQUE,
    full_name           TEXT,
    locale              TEXT NOT NULL,
    password_hash       TEXT,
    email_verified_at   TEXT,
    disabled_at         TEXT,
    password_changed_at TEXT,
    created_at          TEXT NOT NULL,
    updated_at          TEXT NOT NULL
) STRICT;
CREATE INDEX users_by_creation ON users (created_at, id);

CREATE TABLE roles (
    name        TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    built_in    INTEGER NOT NULL,
    -- Raised by every change of who holds the role, so that such changes queue behind each other.
    revision    INTEGER NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;
INSERT INTO roles (name, description, built_in, revision, created_at) VALUES
    ('user', 'May use the applications', 1, 0, '2026-01-01T00:00:00.000000Z'),
    ('moderator', 'May look at accounts', 1, 0, '2026-01-01T00:00:00.000000Z'),
    ('admin', 'May do everything', 1, 0, '2026-01-01T00:00:00.000000Z');

CREATE TABLE user_roles (
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role       TEXT NOT NULL REFERENCES roles (name),
    granted_by BLOB,
    granted_at TEXT NOT NULL,
    PRIMARY KEY (user_id, role)
) STRICT;
CREATE INDEX user_roles_by_role ON user_roles (role);

CREATE TABLE sessions (
    id             BLOB PRIMARY KEY,
    user_id        BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    amr            TEXT NOT NULL,
    auth_time      TEXT NOT NULL,
    ip_address     TEXT NOT NULL,
    user_agent     TEXT NOT NULL,
    device         TEXT NOT NULL,
    created_at     TEXT NOT NULL,
    last_active_at TEXT NOT NULL,
    expires_at     TEXT NOT NULL,
    ended_at       TEXT,
    end_reason     TEXT
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id, created_at, id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    token_hash BLOB PRIMARY KEY,
    session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at    TEXT
) STRICT;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at);

CREATE TABLE link_tokens (
    token_hash BLOB PRIMARY KEY,
    purpose    TEXT NOT NULL,
    user_id    BLOB REFERENCES users (id) ON DELETE CASCADE,
    email      TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at    TEXT
) STRICT;
CREATE INDEX link_tokens_by_user ON link_tokens (user_id, purpose);
CREATE INDEX link_tokens_by_end ON link_tokens (expires_at);

CREATE TABLE mail_messages (
    id              BLOB PRIMARY KEY,
    kind            TEXT NOT NULL,
    locale          TEXT NOT NULL,
    recipient       TEXT NOT NULL,
    user_id         BLOB,
    -- Sealed under the master key; erased when the message is final.
    variables       BLOB,
    message_id      TEXT NOT NULL UNIQUE,
    state           TEXT NOT NULL,
    attempts        INTEGER NOT NULL,
    next_attempt_at TEXT NOT NULL,
    lease_until     TEXT,
    expires_at      TEXT NOT NULL,
    last_reply      TEXT,
    created_at      TEXT NOT NULL,
    final_at        TEXT
) STRICT;
CREATE INDEX mail_messages_due ON mail_messages (state, next_attempt_at);
CREATE INDEX mail_messages_by_creation ON mail_messages (created_at, id);

CREATE TABLE audit_events (
    id         BLOB PRIMARY KEY,
    at         TEXT NOT NULL,
    code       TEXT NOT NULL,
    reason     TEXT,
    actor_id   BLOB,
    user_id    BLOB,
    session_id BLOB,
    ip_address TEXT,
    user_agent TEXT,
    request_id TEXT,
    -- A keyed hash of an address that somebody typed, so that stuffing shows without keeping it.
    email_hash BLOB,
    data       TEXT NOT NULL
) STRICT;
CREATE INDEX audit_events_by_user ON audit_events (user_id, id);

CREATE TABLE signing_keys (
    kid         TEXT PRIMARY KEY,
    -- Counts up by one: of two nodes that make the next key, one does.
    generation  INTEGER NOT NULL UNIQUE,
    algorithm   TEXT NOT NULL,
    -- PKCS#8, sealed under the master key; the public half is worked out from it.
    private_key BLOB NOT NULL,
    created_at  TEXT NOT NULL,
    -- Signs from then on; published from the beginning.
    active_from TEXT NOT NULL,
    -- Deleted then, and no longer published; set as soon as there is a successor.
    expires_at  TEXT
) STRICT;

CREATE TABLE secrets (
    name       TEXT PRIMARY KEY,
    sealed     BLOB NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
