-- Which programs use the database, by their own account: what takes something away waits for those that
-- still need it.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE instances (
    node_id    BLOB PRIMARY KEY,
    version    TEXT NOT NULL,
    started_at TEXT NOT NULL,
    seen_at    TEXT NOT NULL
) STRICT;
