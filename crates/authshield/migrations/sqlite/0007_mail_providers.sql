-- Providers: whom a mail was given to, and what they report of it.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
ALTER TABLE mail_messages ADD COLUMN provider TEXT;
-- The provider's name for the mail, by which reports and its log know it.
ALTER TABLE mail_messages ADD COLUMN provider_message_id TEXT;
CREATE INDEX mail_messages_by_provider ON mail_messages (provider_message_id);

CREATE TABLE mail_webhooks (
    id          BLOB PRIMARY KEY,
    provider    TEXT NOT NULL,
    -- The name of the delivery: a second one by this name must be the same.
    external_id TEXT NOT NULL,
    body_hash   BLOB NOT NULL,
    -- The body as it came, sealed under the master key.
    payload     BLOB NOT NULL,
    received_at TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    UNIQUE (provider, external_id)
) STRICT;
CREATE INDEX mail_webhooks_by_time ON mail_webhooks (provider, received_at);
CREATE INDEX mail_webhooks_by_end ON mail_webhooks (expires_at);
