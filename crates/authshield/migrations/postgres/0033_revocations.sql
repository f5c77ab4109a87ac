-- What was revoked before its access tokens end, for services that verify tokens by themselves.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
CREATE TABLE revocations (
    session_id UUID NOT NULL,
    -- Access tokens of the session with a lower `user_epoch` are dead; with the largest number, all are.
    below      BIGINT NOT NULL,
    -- Its place in the feed, and when it may be forgotten; given after the transaction that wrote it, so
    -- that the places are in the order in which they can be seen.
    seq        BIGINT,
    expires_at TIMESTAMPTZ,
    PRIMARY KEY (session_id, below)
);
CREATE UNIQUE INDEX revocations_by_place ON revocations (seq);
CREATE INDEX revocations_by_end ON revocations (expires_at);
CREATE INDEX revocations_without_place ON revocations (session_id, below) WHERE seq IS NULL;

CREATE TABLE revocation_feed (
    slot             BIGINT PRIMARY KEY CHECK (slot = 1),
    -- The last place that was given.
    seq              BIGINT NOT NULL,
    -- How long an access token can live that was issued by a node that ran at `confirmed_at`.
    lifetime_seconds BIGINT NOT NULL,
    confirmed_at     TIMESTAMPTZ
);
INSERT INTO revocation_feed (slot, seq, lifetime_seconds, confirmed_at) VALUES (1, 0, 0, NULL);

-- Raised by each change of what an account may do.
ALTER TABLE users ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
