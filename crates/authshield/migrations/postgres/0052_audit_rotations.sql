-- Rotations of an account have an index of their own, so that nothing else that happens is in two by account.
-- phase: expand
-- oldest: 0.1.0
-- lock: writes
CREATE INDEX audit_events_of_rotations ON audit_events (user_id, id) WHERE code = 'REFRESH_ROTATED';
