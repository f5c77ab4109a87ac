-- What was revoked before its access tokens end, for services that verify tokens by themselves.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
CREATE TABLE revocations (
    session_id BLOB NOT NULL,
    -- Access tokens of the session with a lower `user_epoch` are dead; with the largest number, all are.
    below      INTEGER NOT NULL,
    -- Its place in the feed, and when it may be forgotten; given after the transaction that wrote it, so
    -- that the places are in the order in which they can be seen.
    seq        INTEGER,
    expires_at TEXT,
    PRIMARY KEY (session_id, below)
) STRICT;
CREATE UNIQUE INDEX revocations_by_place ON revocations (seq);
CREATE INDEX revocations_by_end ON revocations (expires_at);
CREATE INDEX revocations_without_place ON revocations (session_id, below) WHERE seq IS NULL;

CREATE TABLE revocation_feed (
    slot             INTEGER PRIMARY KEY CHECK (slot = 1),
    -- The last place that was given.
    seq              INTEGER NOT NULL,
    -- How long an access token can live that was issued by a node that ran at `confirmed_at`.
    lifetime_seconds INTEGER NOT NULL,
    confirmed_at     TEXT
) STRICT;
INSERT INTO revocation_feed (slot, seq, lifetime_seconds, confirmed_at) VALUES (1, 0, 0, NULL);

-- Raised by each change of what an account may do.
ALTER TABLE users ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
