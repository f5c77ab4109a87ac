-- What was shown before the second factor: a password, or a sign-in at a provider.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
ALTER TABLE pending_sign_ins ADD COLUMN first_factor TEXT NOT NULL DEFAULT 'pwd';
