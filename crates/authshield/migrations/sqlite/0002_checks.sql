-- What is looked at again and again, and who looks on behalf of all nodes.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder BLOB NOT NULL,
    until  TEXT NOT NULL
) STRICT;

CREATE TABLE check_results (
    check_id   TEXT PRIMARY KEY,
    standing   TEXT NOT NULL,
    since      TEXT NOT NULL,
    checked_at TEXT NOT NULL,
    node_id    BLOB NOT NULL,
    finding    TEXT NOT NULL
) STRICT;

CREATE TABLE check_changes (
    id       BLOB PRIMARY KEY,
    check_id TEXT NOT NULL,
    node_id  BLOB NOT NULL,
    at       TEXT NOT NULL,
    was      TEXT NOT NULL,
    became   TEXT NOT NULL,
    -- Since when the former was believed; nothing for the first belief.
    since    TEXT,
    finding  TEXT NOT NULL
) STRICT;
CREATE INDEX check_changes_by_check ON check_changes (check_id, at);
CREATE INDEX check_changes_by_time ON check_changes (at);

-- What happened stays as it was written, whoever asks.
CREATE TRIGGER audit_events_are_not_changed BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit events are kept as they were written');
END;
CREATE TRIGGER audit_events_are_not_deleted BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit events are kept as they were written');
END;
