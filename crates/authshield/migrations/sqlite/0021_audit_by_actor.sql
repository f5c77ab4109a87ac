-- What somebody did to others, or to the service, is found by who did it.
-- phase: expand
-- oldest: 0.1.0
-- lock: writes
CREATE INDEX audit_events_by_actor ON audit_events (actor_id, id)
    WHERE actor_id IS NOT NULL AND (user_id IS NULL OR user_id <> actor_id);
