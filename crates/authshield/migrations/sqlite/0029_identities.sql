-- Accounts at providers with which people sign in, and sign-ins there that are on their way.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE identities (
    id           BLOB PRIMARY KEY,
    user_id      BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- What the provider was called here when it was linked.
    provider     TEXT NOT NULL,
    -- Only these two identify somebody (OpenID Connect Core, 5.7).
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    -- What the provider said last; nothing rests on it.
    email        TEXT,
    created_at   TEXT NOT NULL,
    last_used_at TEXT,
    UNIQUE (issuer, subject)
) STRICT;
CREATE INDEX identities_by_user ON identities (user_id, created_at, id);

-- A row is there as soon as a browser came back: its state counts once.
CREATE TABLE federated_sign_ins (
    state_hash      BLOB PRIMARY KEY,
    -- Set when the provider vouched: what the application exchanges, and for whom.
    code_hash       BLOB UNIQUE,
    code_challenge  TEXT,
    code_expires_at TEXT,
    redeemed_at     TEXT,
    person          TEXT,
    expires_at      TEXT NOT NULL
) STRICT;
CREATE INDEX federated_sign_ins_by_end ON federated_sign_ins (expires_at);
