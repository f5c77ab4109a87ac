-- What becomes of mail, cell by cell; what caused it; and who has it in hand.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
ALTER TABLE mail_messages ADD COLUMN mailbox_provider TEXT;
ALTER TABLE mail_messages ADD COLUMN trace_context TEXT;
ALTER TABLE mail_messages ADD COLUMN lease_owner BLOB;
CREATE INDEX mail_messages_without_place ON mail_messages (created_at)
    WHERE mailbox_provider IS NULL;
CREATE INDEX mail_events_by_arrival ON mail_events (received_at);

-- Of messages that were written in five minutes. Logarithms are natural, of seconds, in millionths.
CREATE TABLE mail_rollup_5m (
    window_at        TEXT NOT NULL,
    provider         TEXT NOT NULL,
    mailbox_provider TEXT NOT NULL,
    kind             TEXT NOT NULL,
    sender           TEXT NOT NULL,
    messages         INTEGER NOT NULL,
    accepted         INTEGER NOT NULL,
    delivered        INTEGER NOT NULL,
    confirmed        INTEGER NOT NULL,
    bounced          INTEGER NOT NULL,
    deferred         INTEGER NOT NULL,
    complained       INTEGER NOT NULL,
    failed           INTEGER NOT NULL,
    expired          INTEGER NOT NULL,
    -- Refused so far, and tried again.
    held             INTEGER NOT NULL,
    unknown          INTEGER NOT NULL,
    accept_logs      INTEGER NOT NULL,
    accept_squares   INTEGER NOT NULL,
    deliver_logs     INTEGER NOT NULL,
    deliver_squares  INTEGER NOT NULL,
    -- Counts by bucket of a time that grows by half from one to the next.
    to_accept        TEXT NOT NULL,
    to_deliver       TEXT NOT NULL,
    to_confirm       TEXT NOT NULL,
    PRIMARY KEY (window_at, provider, mailbox_provider, kind, sender)
) STRICT;

CREATE TABLE mail_rollup_state (
    -- There is one.
    slot       INTEGER PRIMARY KEY CHECK (slot = 1),
    counted_to TEXT NOT NULL
) STRICT;

-- Steps of cells that are worse than they should be, until they are not.
CREATE TABLE mail_cell_alarms (
    provider          TEXT NOT NULL,
    mailbox_provider  TEXT NOT NULL,
    kind              TEXT NOT NULL,
    sender            TEXT NOT NULL,
    step              TEXT NOT NULL,
    since             TEXT NOT NULL,
    first_mail        BLOB,
    normal_permille   INTEGER NOT NULL,
    observed_permille INTEGER NOT NULL,
    PRIMARY KEY (provider, mailbox_provider, kind, sender, step)
) STRICT;
