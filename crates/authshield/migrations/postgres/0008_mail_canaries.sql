-- Mails to ourselves, and how they arrived.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
CREATE TABLE mail_canaries (
    mail_id    UUID PRIMARY KEY REFERENCES mail_messages (id) ON DELETE CASCADE,
    -- Which of the configured addresses, counted from 1, and that address.
    mailbox    BIGINT NOT NULL,
    address    TEXT COLLATE "C" NOT NULL,
    sent_at    TIMESTAMPTZ NOT NULL,
    -- By the account of the mailbox, and when we saw it there.
    arrived_at TIMESTAMPTZ,
    seen_at    TIMESTAMPTZ,
    via        TEXT,
    folder     TEXT,
    -- Our own verdict, and what the receiver wrote.
    spf        TEXT,
    dkim       TEXT,
    dmarc      TEXT,
    receiver   TEXT
);
CREATE INDEX mail_canaries_by_time ON mail_canaries (sent_at);
CREATE INDEX mail_canaries_by_address ON mail_canaries (address, sent_at);
