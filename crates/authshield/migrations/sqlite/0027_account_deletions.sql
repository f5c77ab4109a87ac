-- Accounts whose owners asked for their deletion.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
-- When an account will be deleted, if its owner asked for that and does not take it back.
ALTER TABLE users ADD COLUMN deletion_due_at TEXT;
