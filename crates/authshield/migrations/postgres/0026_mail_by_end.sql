-- What waits is found by when it ends, so that a queue of any length costs the same.
-- phase: expand
-- oldest: 0.1.0
-- lock: writes
CREATE INDEX mail_messages_by_end ON mail_messages (expires_at) WHERE state = 'queued';
