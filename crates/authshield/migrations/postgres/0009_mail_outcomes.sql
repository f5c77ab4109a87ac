-- What becomes of mail, cell by cell; what caused it; and who has it in hand.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
ALTER TABLE mail_messages ADD COLUMN mailbox_provider TEXT;
ALTER TABLE mail_messages ADD COLUMN trace_context TEXT;
ALTER TABLE mail_messages ADD COLUMN lease_owner UUID;
CREATE INDEX mail_messages_without_place ON mail_messages (created_at)
    WHERE mailbox_provider IS NULL;
CREATE INDEX mail_events_by_arrival ON mail_events (received_at);

-- Of messages that were written in five minutes. Logarithms are natural, of seconds, in millionths.
CREATE TABLE mail_rollup_5m (
    window_at        TIMESTAMPTZ NOT NULL,
    provider         TEXT COLLATE "C" NOT NULL,
    mailbox_provider TEXT COLLATE "C" NOT NULL,
    kind             TEXT COLLATE "C" NOT NULL,
    sender           TEXT COLLATE "C" NOT NULL,
    messages         BIGINT NOT NULL,
    accepted         BIGINT NOT NULL,
    delivered        BIGINT NOT NULL,
    confirmed        BIGINT NOT NULL,
    bounced          BIGINT NOT NULL,
    deferred         BIGINT NOT NULL,
    complained       BIGINT NOT NULL,
    failed           BIGINT NOT NULL,
    expired          BIGINT NOT NULL,
    -- Refused so far, and tried again.
    held             BIGINT NOT NULL,
    unknown          BIGINT NOT NULL,
    accept_logs      BIGINT NOT NULL,
    accept_squares   BIGINT NOT NULL,
    deliver_logs     BIGINT NOT NULL,
    deliver_squares  BIGINT NOT NULL,
    -- Counts by bucket of a time that grows by half from one to the next.
    to_accept        JSONB NOT NULL,
    to_deliver       JSONB NOT NULL,
    to_confirm       JSONB NOT NULL,
    PRIMARY KEY (window_at, provider, mailbox_provider, kind, sender)
);

CREATE TABLE mail_rollup_state (
    -- There is one.
    slot       BIGINT PRIMARY KEY CHECK (slot = 1),
    counted_to TIMESTAMPTZ NOT NULL
);

-- Steps of cells that are worse than they should be, until they are not.
CREATE TABLE mail_cell_alarms (
    provider          TEXT COLLATE "C" NOT NULL,
    mailbox_provider  TEXT COLLATE "C" NOT NULL,
    kind              TEXT COLLATE "C" NOT NULL,
    sender            TEXT COLLATE "C" NOT NULL,
    step              TEXT COLLATE "C" NOT NULL,
    since             TIMESTAMPTZ NOT NULL,
    first_mail        UUID,
    normal_permille   BIGINT NOT NULL,
    observed_permille BIGINT NOT NULL,
    PRIMARY KEY (provider, mailbox_provider, kind, sender, step)
);
