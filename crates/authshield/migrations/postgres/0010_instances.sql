-- Which programs use the database, by their own account: what takes something away waits for those that
-- still need it.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE instances (
    node_id    UUID PRIMARY KEY,
    version    TEXT COLLATE "C" NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    seen_at    TIMESTAMPTZ NOT NULL
);
