-- Addresses that mail is not sent to, because it came back or was complained of, or because an
-- operator says so.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE mail_suppressions (
    id         BLOB PRIMARY KEY,
    -- A keyed hash of the address, by which it is found.
    to_hash    BLOB NOT NULL,
    scope      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    -- How often mail came back for good.
    strikes    INTEGER NOT NULL,
    -- The address, sealed under the master key, for operators and exports.
    address    BLOB NOT NULL,
    since      TEXT NOT NULL,
    until      TEXT,
    -- The evidence: a mail, and what happened to it.
    mail_id    BLOB,
    event_id   BLOB,
    by_user    BLOB,
    -- The one mail that is sent after the end, to see.
    trial_mail BLOB,
    trial_at   TEXT,
    UNIQUE (to_hash, scope)
) STRICT;
CREATE INDEX mail_suppressions_by_time ON mail_suppressions (since, id);
CREATE INDEX mail_suppressions_by_end ON mail_suppressions (until);
