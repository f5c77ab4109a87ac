-- Accounts that are due are found without a look at all others.
-- phase: expand
-- oldest: 0.1.0
-- lock: writes
CREATE INDEX users_by_deletion ON users (deletion_due_at) WHERE deletion_due_at IS NOT NULL;
