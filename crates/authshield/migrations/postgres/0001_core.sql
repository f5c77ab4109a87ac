-- Accounts, sessions, tokens, mail, keys and the audit trail.
CREATE TABLE users (
    id                  UUID PRIMARY KEY,
    email               TEXT COLLATE "C" NOT NULL UNIQUE,
    full_name           TEXT,
    locale              TEXT NOT NULL,
    password_hash       TEXT,
    email_verified_at   TIMESTAMPTZ,
    disabled_at         TIMESTAMPTZ,
    password_changed_at TIMESTAMPTZ,
    created_at          TIMESTAMPTZ NOT NULL,
    updated_at          TIMESTAMPTZ NOT NULL
);
CREATE INDEX users_by_creation ON users (created_at, id);

CREATE TABLE roles (
    name        TEXT COLLATE "C" PRIMARY KEY,
    description TEXT NOT NULL,
    built_in    BOOLEAN NOT NULL,
    -- Raised by every change of who holds the role, so that such changes queue behind each other.
    revision    BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);
INSERT INTO roles (name, description, built_in, revision, created_at) VALUES
    ('user', 'May use the applications', TRUE, 0, '2026-01-01T00:00:00.000000Z'),
    ('moderator', 'May look at accounts', TRUE, 0, '2026-01-01T00:00:00.000000Z'),
    ('admin', 'May do everything', TRUE, 0, '2026-01-01T00:00:00.000000Z');

CREATE TABLE user_roles (
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role       TEXT COLLATE "C" NOT NULL REFERENCES roles (name),
    granted_by UUID,
    granted_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, role)
);
CREATE INDEX user_roles_by_role ON user_roles (role);

CREATE TABLE sessions (
    id             UUID PRIMARY KEY,
    user_id        UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    amr            JSONB NOT NULL,
    auth_time      TIMESTAMPTZ NOT NULL,
    ip_address     TEXT NOT NULL,
    user_agent     TEXT NOT NULL,
    device         TEXT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    last_active_at TIMESTAMPTZ NOT NULL,
    expires_at     TIMESTAMPTZ NOT NULL,
    ended_at       TIMESTAMPTZ,
    end_reason     TEXT
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at, id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    token_hash BYTEA PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at);

CREATE TABLE link_tokens (
    token_hash BYTEA PRIMARY KEY,
    purpose    TEXT COLLATE "C" NOT NULL,
    user_id    UUID REFERENCES users (id) ON DELETE CASCADE,
    email      TEXT COLLATE "C",
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ
);
CREATE INDEX link_tokens_by_user ON link_tokens (user_id, purpose);
CREATE INDEX link_tokens_by_end ON link_tokens (expires_at);

CREATE TABLE mail_messages (
    id              UUID PRIMARY KEY,
    kind            TEXT COLLATE "C" NOT NULL,
    locale          TEXT NOT NULL,
    recipient       TEXT NOT NULL,
    user_id         UUID,
    -- Sealed under the master key; erased when the message is final.
    variables       BYTEA,
    message_id      TEXT NOT NULL UNIQUE,
    state           TEXT COLLATE "C" NOT NULL,
    attempts        BIGINT NOT NULL,
    next_attempt_at TIMESTAMPTZ NOT NULL,
    lease_until     TIMESTAMPTZ,
    expires_at      TIMESTAMPTZ NOT NULL,
    last_reply      TEXT,
    created_at      TIMESTAMPTZ NOT NULL,
    final_at        TIMESTAMPTZ
);
CREATE INDEX mail_messages_due ON mail_messages (state, next_attempt_at);
CREATE INDEX mail_messages_by_creation ON mail_messages (created_at, id);

CREATE TABLE audit_events (
    id         UUID PRIMARY KEY,
    at         TIMESTAMPTZ NOT NULL,
    code       TEXT COLLATE "C" NOT NULL,
    reason     TEXT,
    actor_id   UUID,
    user_id    UUID,
    session_id UUID,
    ip_address TEXT,
    user_agent TEXT,
    request_id TEXT,
    -- A keyed hash of an address that somebody typed, so that stuffing shows without keeping it.
    email_hash BYTEA,
    data       JSONB NOT NULL
);
CREATE INDEX audit_events_by_user ON audit_events (user_id, id);

CREATE TABLE signing_keys (
    kid         TEXT COLLATE "C" PRIMARY KEY,
    -- Counts up by one: of two nodes that make the next key, one does.
    generation  BIGINT NOT NULL UNIQUE,
    algorithm   TEXT NOT NULL,
    -- PKCS#8, sealed under the master key; the public half is worked out from it.
    private_key BYTEA NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    -- Signs from then on; published from the beginning.
    active_from TIMESTAMPTZ NOT NULL,
    -- Deleted then, and no longer published; set as soon as there is a successor.
    expires_at  TIMESTAMPTZ
);

CREATE TABLE secrets (
    name       TEXT COLLATE "C" PRIMARY KEY,
    sealed     BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
