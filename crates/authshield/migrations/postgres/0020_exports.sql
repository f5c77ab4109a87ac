-- Where each sink of events stands, and what it did not take.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE export_cursors (
    sink            TEXT COLLATE "C" PRIMARY KEY,
    -- The last link of the audit trail that it was given.
    seq             BIGINT NOT NULL,
    attempts        BIGINT NOT NULL,
    failing_since   TIMESTAMPTZ,
    next_attempt_at TIMESTAMPTZ,
    last_error      TEXT
);

CREATE TABLE export_dead_letters (
    sink     TEXT COLLATE "C" NOT NULL,
    seq      BIGINT NOT NULL,
    at       TIMESTAMPTZ NOT NULL,
    reason   TEXT NOT NULL,
    -- Set when it is to be sent again.
    again_at TIMESTAMPTZ,
    PRIMARY KEY (sink, seq)
);
