-- Wrong passwords in a row: of each address that somebody typed, whether or not it has an account, and
-- of each place that they came from. Counted before the password is judged, so that neither a restart
-- nor another node gives anybody more of them.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE password_failures (
    -- A keyed hash of the address.
    account    BYTEA PRIMARY KEY,
    -- Since the last right one, wherever from.
    failures   BIGINT NOT NULL,
    -- Which row of them that is: each right one ends one.
    run        BIGINT NOT NULL,
    -- When the owner was told of a lock; nothing since the last right one.
    told_at    TIMESTAMPTZ,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX password_failures_by_end ON password_failures (expires_at);

CREATE TABLE password_places (
    -- A keyed hash of the address and of a network from which its owner signed in, of a session, or of
    -- everywhere else.
    place      BYTEA PRIMARY KEY,
    -- Since the last right one.
    failures   BIGINT NOT NULL,
    -- Those of them that no pause of a day came between: the next wait follows from it.
    streak     BIGINT NOT NULL,
    -- From then on the next is judged.
    open_at    TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX password_places_by_end ON password_places (expires_at);
