-- The newest registration of each address, until somebody proves that the address is theirs. Only
-- then its password becomes that of an account. One is kept for addresses that have an account, too:
-- what a stranger sees must not depend on that.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE registrations (
    email         TEXT COLLATE "C" PRIMARY KEY,
    password_hash TEXT NOT NULL,
    -- Registered with different passwords: none of them counts, whoever proves the address chooses.
    contested     BOOLEAN NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    expires_at    TIMESTAMPTZ NOT NULL
);
CREATE INDEX registrations_by_end ON registrations (expires_at);
