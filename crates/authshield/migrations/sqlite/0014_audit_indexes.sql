-- What auditors and owners of accounts ask for is found by its index. Rotations of refresh tokens are
-- most of what happens and say the least: they are in none, so that a refresh costs no more.
-- phase: expand
-- oldest: 0.1.0
-- lock: writes
CREATE INDEX audit_events_of_user ON audit_events (user_id, id) WHERE code <> 'REFRESH_ROTATED';
CREATE INDEX audit_events_by_code ON audit_events (code, id) WHERE code <> 'REFRESH_ROTATED';
CREATE INDEX audit_events_by_address ON audit_events (ip_address, id) WHERE code <> 'REFRESH_ROTATED';
CREATE INDEX audit_events_by_email ON audit_events (email_hash, id) WHERE email_hash IS NOT NULL;
