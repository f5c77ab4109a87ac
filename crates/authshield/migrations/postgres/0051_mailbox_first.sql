-- Whether a sign-in that waits shows the mailbox before anything else: a rule of risk asks for it.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
ALTER TABLE pending_sign_ins ADD COLUMN mailbox_first BOOLEAN NOT NULL DEFAULT FALSE;
