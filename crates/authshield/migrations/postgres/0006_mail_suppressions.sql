-- Addresses that mail is not sent to, because it came back or was complained of, or because an
-- operator says so.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE mail_suppressions (
    id         UUID PRIMARY KEY,
    -- A keyed hash of the address, by which it is found.
    to_hash    BYTEA NOT NULL,
    scope      TEXT COLLATE "C" NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL,
    -- How often mail came back for good.
    strikes    BIGINT NOT NULL,
    -- The address, sealed under the master key, for operators and exports.
    address    BYTEA NOT NULL,
    since      TIMESTAMPTZ NOT NULL,
    until      TIMESTAMPTZ,
    -- The evidence: a mail, and what happened to it.
    mail_id    UUID,
    event_id   UUID,
    by_user    UUID,
    -- The one mail that is sent after the end, to see.
    trial_mail UUID,
    trial_at   TIMESTAMPTZ,
    UNIQUE (to_hash, scope)
);
CREATE INDEX mail_suppressions_by_time ON mail_suppressions (since, id);
CREATE INDEX mail_suppressions_by_end ON mail_suppressions (until);
