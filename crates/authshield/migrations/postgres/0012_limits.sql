-- Budgets that all nodes count together where there is no Redis (rate_limit.store = "database").
-- phase: expand
-- oldest: 0.1.0
-- lock: none
CREATE TABLE limit_counters (
    -- A hash of the limit and of whose budget it is, under a secret of ours.
    key        BYTEA PRIMARY KEY,
    -- When the budget is whole again, in microseconds since 1970.
    whole_at   BIGINT NOT NULL,
    -- The same, as the last request found it.
    found      BIGINT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX limit_counters_by_end ON limit_counters (expires_at);
