-- How much mail waits is read from an index: it is asked for all the time, most of all when much waits.
-- phase: expand
-- oldest: 0.1.0
-- lock: writes
CREATE INDEX mail_messages_waiting ON mail_messages (kind, state, created_at) WHERE state IN ('queued', 'sending');
