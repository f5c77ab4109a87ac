-- What is looked at again and again, and who looks on behalf of all nodes.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
CREATE TABLE leases (
    name   TEXT COLLATE "C" PRIMARY KEY,
    holder UUID NOT NULL,
    until  TIMESTAMPTZ NOT NULL
);

CREATE TABLE check_results (
    check_id   TEXT COLLATE "C" PRIMARY KEY,
    standing   TEXT COLLATE "C" NOT NULL,
    since      TIMESTAMPTZ NOT NULL,
    checked_at TIMESTAMPTZ NOT NULL,
    node_id    UUID NOT NULL,
    finding    JSONB NOT NULL
);

CREATE TABLE check_changes (
    id       UUID PRIMARY KEY,
    check_id TEXT COLLATE "C" NOT NULL,
    node_id  UUID NOT NULL,
    at       TIMESTAMPTZ NOT NULL,
    was      TEXT COLLATE "C" NOT NULL,
    became   TEXT COLLATE "C" NOT NULL,
    -- Since when the former was believed; nothing for the first belief.
    since    TIMESTAMPTZ,
    finding  JSONB NOT NULL
);
CREATE INDEX check_changes_by_check ON check_changes (check_id, at);
CREATE INDEX check_changes_by_time ON check_changes (at);

-- What happened stays as it was written, whoever asks.
CREATE FUNCTION audit_events_are_kept() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are kept as they were written';
END;
$$;
CREATE TRIGGER audit_events_are_not_changed BEFORE UPDATE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_are_kept();
CREATE TRIGGER audit_events_are_not_deleted BEFORE DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_are_kept();
CREATE TRIGGER audit_events_are_not_emptied BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_are_kept();
