-- Proofs of work that were shown: each counts once.
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE captcha_solutions (
    -- Of the challenge.
    nonce      BLOB PRIMARY KEY,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX captcha_solutions_by_end ON captcha_solutions (expires_at);
