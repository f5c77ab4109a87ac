-- The newest registration of each address, until somebody proves that the address is theirs. Only
-- then its password becomes that of an account. One is kept for addresses that have an account, too:
-- what a stranger sees must not depend on that.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE registrations (
    email         TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    -- Registered with different passwords: none of them counts, whoever proves the address chooses.
    contested     INTEGER NOT NULL,
    created_at    TEXT NOT NULL,
    expires_at    TEXT NOT NULL
) STRICT;
CREATE INDEX registrations_by_end ON registrations (expires_at);
