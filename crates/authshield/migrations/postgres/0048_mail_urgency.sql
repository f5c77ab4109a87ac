-- In which lane a message waits: a flood of one kind does not delay the others.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
-- 0 is the most urgent. What was written before, and what an older node writes, is neither.
ALTER TABLE mail_messages ADD COLUMN urgency BIGINT NOT NULL DEFAULT 1;
