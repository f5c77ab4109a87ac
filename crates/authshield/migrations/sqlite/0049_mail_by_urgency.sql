-- What is due is found lane by lane.
-- phase: expand
-- oldest: 0.1.0
-- lock: writes
CREATE INDEX mail_messages_by_urgency ON mail_messages (urgency, next_attempt_at) WHERE state = 'queued';
