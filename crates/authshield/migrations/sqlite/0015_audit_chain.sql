-- The audit trail is chained: each sealed event has a link, checkpoints are signed. What follows the events
-- is written by the sealer; nothing of it is changed but what erases a person or cuts off a whole old part.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
CREATE TABLE audit_links (
    seq        INTEGER PRIMARY KEY,
    event_id   BLOB NOT NULL UNIQUE,
    -- Over what is personal of the event, with the salt; without the salt it tells nothing.
    commitment BLOB NOT NULL,
    salt       BLOB,
    hash       BLOB NOT NULL
) STRICT;

CREATE TABLE audit_checkpoints (
    number    INTEGER PRIMARY KEY,
    -- The last link that it covers.
    seq       INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    at        TEXT NOT NULL,
    -- What happened before was sealed by then.
    through   TEXT NOT NULL,
    epoch     INTEGER NOT NULL,
    kid       TEXT NOT NULL,
    signature TEXT NOT NULL
) STRICT;
CREATE INDEX audit_checkpoints_by_link ON audit_checkpoints (seq, number);

CREATE TABLE audit_cuts (
    -- The last link that was cut off.
    seq       INTEGER PRIMARY KEY,
    hash      BLOB NOT NULL,
    -- The checkpoint at which it was.
    number    INTEGER NOT NULL,
    at        TEXT NOT NULL,
    kid       TEXT NOT NULL,
    signature TEXT NOT NULL
) STRICT;

-- What is personal may be erased, once it is sealed; the rest stays as it was written.
DROP TRIGGER audit_events_are_not_changed;
CREATE TRIGGER audit_events_are_not_changed BEFORE UPDATE ON audit_events
WHEN NOT (NEW.ip_address IS NULL AND NEW.user_agent IS NULL AND NEW.email_hash IS NULL
          AND NEW.id IS OLD.id AND NEW.at IS OLD.at AND NEW.code IS OLD.code
          AND NEW.reason IS OLD.reason AND NEW.actor_id IS OLD.actor_id
          AND NEW.user_id IS OLD.user_id AND NEW.session_id IS OLD.session_id
          AND NEW.request_id IS OLD.request_id AND NEW.data IS OLD.data
          AND EXISTS (SELECT 1 FROM audit_links WHERE event_id = OLD.id AND salt IS NULL))
BEGIN
    SELECT RAISE(ABORT, 'audit events are kept as they were written');
END;
DROP TRIGGER audit_events_are_not_deleted;
CREATE TRIGGER audit_events_are_not_deleted BEFORE DELETE ON audit_events
WHEN NOT EXISTS (SELECT 1 FROM audit_links AS l JOIN audit_cuts AS c ON l.seq <= c.seq
                 WHERE l.event_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'audit events are kept as they were written');
END;

CREATE TRIGGER audit_links_are_not_changed BEFORE UPDATE ON audit_links
WHEN NOT (NEW.salt IS NULL AND NEW.seq IS OLD.seq AND NEW.event_id IS OLD.event_id
          AND NEW.commitment IS OLD.commitment AND NEW.hash IS OLD.hash)
BEGIN
    SELECT RAISE(ABORT, 'links of the audit trail are kept as they were written');
END;
CREATE TRIGGER audit_links_are_not_deleted BEFORE DELETE ON audit_links
WHEN OLD.seq > COALESCE((SELECT MAX(seq) FROM audit_cuts), 0)
BEGIN
    SELECT RAISE(ABORT, 'links of the audit trail are kept as they were written');
END;

CREATE TRIGGER audit_checkpoints_are_not_changed BEFORE UPDATE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'audit events are kept as they were written');
END;
CREATE TRIGGER audit_checkpoints_are_not_deleted BEFORE DELETE ON audit_checkpoints
WHEN OLD.seq > COALESCE((SELECT MAX(seq) FROM audit_cuts), 0)
BEGIN
    SELECT RAISE(ABORT, 'audit events are kept as they were written');
END;

CREATE TRIGGER audit_cuts_are_not_changed BEFORE UPDATE ON audit_cuts
BEGIN
    SELECT RAISE(ABORT, 'audit events are kept as they were written');
END;
CREATE TRIGGER audit_cuts_are_not_deleted BEFORE DELETE ON audit_cuts
BEGIN
    SELECT RAISE(ABORT, 'audit events are kept as they were written');
END;
