-- Where each sink of events stands, and what it did not take.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE export_cursors (
    sink            TEXT PRIMARY KEY,
    -- The last link of the audit trail that it was given.
    seq             INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    failing_since   TEXT,
    next_attempt_at TEXT,
    last_error      TEXT
) STRICT;

CREATE TABLE export_dead_letters (
    sink     TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    at       TEXT NOT NULL,
    reason   TEXT NOT NULL,
    -- Set when it is to be sent again.
    again_at TEXT,
    PRIMARY KEY (sink, seq)
) STRICT;
