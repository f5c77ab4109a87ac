-- Mails to ourselves, and how they arrived.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
CREATE TABLE mail_canaries (
    mail_id    BLOB PRIMARY KEY REFERENCES mail_messages (id) ON DELETE CASCADE,
    -- Which of the configured addresses, counted from 1, and that address.
    mailbox    INTEGER NOT NULL,
    address    TEXT NOT NULL,
    sent_at    TEXT NOT NULL,
    -- By the account of the mailbox, and when we saw it there.
    arrived_at TEXT,
    seen_at    TEXT,
    via        TEXT,
    folder     TEXT,
    -- Our own verdict, and what the receiver wrote.
    spf        TEXT,
    dkim       TEXT,
    dmarc      TEXT,
    receiver   TEXT
) STRICT;
CREATE INDEX mail_canaries_by_time ON mail_canaries (sent_at);
CREATE INDEX mail_canaries_by_address ON mail_canaries (address, sent_at);
