-- Accounts that nobody proved are found without a look at all others.
-- phase: expand
-- oldest: 0.1.0
-- lock: writes
CREATE INDEX users_unproved ON users (created_at) WHERE email_verified_at IS NULL;
