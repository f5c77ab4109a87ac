-- Sessions that a browser carries in a cookie.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
-- One row for each such session, under the keyed hash of what the cookie holds. When the session ends is
-- said by its own row.
CREATE TABLE browser_sessions (
    token_hash BLOB PRIMARY KEY,
    session_id BLOB NOT NULL UNIQUE REFERENCES sessions (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL
) STRICT;
