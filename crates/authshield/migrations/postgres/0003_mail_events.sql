-- What became of each mail: a timeline that is only ever added to. The state of a message is worked
-- out from it.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
CREATE TABLE mail_events (
    id            UUID PRIMARY KEY,
    mail_id       UUID NOT NULL REFERENCES mail_messages (id) ON DELETE CASCADE,
    at            TIMESTAMPTZ NOT NULL,
    received_at   TIMESTAMPTZ NOT NULL,
    source        TEXT NOT NULL,
    -- The name that the source has for it: what is told twice is written once.
    external_id   TEXT NOT NULL,
    kind          TEXT NOT NULL,
    class         TEXT,
    smtp_code     BIGINT,
    enhanced_code TEXT,
    reply         TEXT,
    remote_mta    TEXT,
    UNIQUE (source, external_id)
);
CREATE INDEX mail_events_by_mail ON mail_events (mail_id, at, id);
CREATE FUNCTION mail_events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'mail_events is only ever added to';
END
$$;
CREATE TRIGGER mail_events_stay BEFORE UPDATE ON mail_events
    FOR EACH ROW EXECUTE FUNCTION mail_events_stay();

-- From then on, silence after the relay's yes means that nobody knows.
ALTER TABLE mail_messages ADD COLUMN unknown_from TIMESTAMPTZ;
ALTER TABLE mail_messages ADD COLUMN final_class TEXT;
CREATE INDEX mail_messages_by_recipient ON mail_messages (recipient, created_at, id);
CREATE INDEX mail_messages_by_silence ON mail_messages (state, unknown_from);

-- The mail that carries the link: who uses the one has the other.
ALTER TABLE link_tokens ADD COLUMN mail_id UUID;

-- A fault of our own settings that keeps mail from leaving, until mail leaves again: one incident,
-- however many nodes and messages meet it.
CREATE TABLE mail_faults (
    provider TEXT PRIMARY KEY,
    since    TIMESTAMPTZ NOT NULL
);
