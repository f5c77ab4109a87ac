-- Whether a link to set a password, or a sign-in that a password began, ended when passwords were switched off.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
ALTER TABLE link_tokens ADD COLUMN password_off INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pending_sign_ins ADD COLUMN password_off INTEGER NOT NULL DEFAULT 0;
