-- The index of all events by account: those of rotations, and of all others, stand for it.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
DROP INDEX audit_events_by_user;
