-- The audit trail is chained: each sealed event has a link, checkpoints are signed. What follows the events
-- is written by the sealer; nothing of it is changed but what erases a person or cuts off a whole old part.
-- phase: expand
-- oldest: 0.1.0
-- lock: brief
CREATE TABLE audit_links (
    seq        BIGINT PRIMARY KEY,
    event_id   UUID NOT NULL UNIQUE,
    -- Over what is personal of the event, with the salt; without the salt it tells nothing.
    commitment BYTEA NOT NULL,
    salt       BYTEA,
    hash       BYTEA NOT NULL
);

CREATE TABLE audit_checkpoints (
    number    BIGINT PRIMARY KEY,
    -- The last link that it covers.
    seq       BIGINT NOT NULL,
    hash      BYTEA NOT NULL,
    at        TIMESTAMPTZ NOT NULL,
    -- What happened before was sealed by then.
    through   TIMESTAMPTZ NOT NULL,
    epoch     BIGINT NOT NULL,
    kid       TEXT COLLATE "C" NOT NULL,
    signature TEXT NOT NULL
);
CREATE INDEX audit_checkpoints_by_link ON audit_checkpoints (seq, number);

CREATE TABLE audit_cuts (
    -- The last link that was cut off.
    seq       BIGINT PRIMARY KEY,
    hash      BYTEA NOT NULL,
    -- The checkpoint at which it was.
    number    BIGINT NOT NULL,
    at        TIMESTAMPTZ NOT NULL,
    kid       TEXT COLLATE "C" NOT NULL,
    signature TEXT NOT NULL
);

CREATE FUNCTION audit_event_may_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    -- What is personal may be erased, once it is sealed; the rest stays as it was written.
    IF NEW.ip_address IS NULL AND NEW.user_agent IS NULL AND NEW.email_hash IS NULL
       AND (NEW.id, NEW.at, NEW.code, NEW.reason, NEW.actor_id, NEW.user_id, NEW.session_id,
            NEW.request_id, NEW.data)
           IS NOT DISTINCT FROM
           (OLD.id, OLD.at, OLD.code, OLD.reason, OLD.actor_id, OLD.user_id, OLD.session_id,
            OLD.request_id, OLD.data)
       AND EXISTS (SELECT 1 FROM audit_links WHERE event_id = OLD.id AND salt IS NULL) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit events are kept as they were written';
END;
$$;
CREATE FUNCTION audit_event_may_go() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM audit_links AS l JOIN audit_cuts AS c ON l.seq <= c.seq
               WHERE l.event_id = OLD.id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'audit events are kept as they were written';
END;
$$;
DROP TRIGGER audit_events_are_not_changed ON audit_events;
CREATE TRIGGER audit_events_are_not_changed BEFORE UPDATE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_event_may_change();
DROP TRIGGER audit_events_are_not_deleted ON audit_events;
CREATE TRIGGER audit_events_are_not_deleted BEFORE DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_event_may_go();

CREATE FUNCTION audit_link_may_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.salt IS NULL
       AND (NEW.seq, NEW.event_id, NEW.commitment, NEW.hash)
           = (OLD.seq, OLD.event_id, OLD.commitment, OLD.hash) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'links of the audit trail are kept as they were written';
END;
$$;
CREATE FUNCTION audit_link_may_go() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.seq <= (SELECT MAX(seq) FROM audit_cuts) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'links of the audit trail are kept as they were written';
END;
$$;
CREATE TRIGGER audit_links_are_not_changed BEFORE UPDATE ON audit_links
    FOR EACH ROW EXECUTE FUNCTION audit_link_may_change();
CREATE TRIGGER audit_links_are_not_deleted BEFORE DELETE ON audit_links
    FOR EACH ROW EXECUTE FUNCTION audit_link_may_go();
CREATE TRIGGER audit_links_are_not_emptied BEFORE TRUNCATE ON audit_links
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_are_kept();

CREATE TRIGGER audit_checkpoints_are_not_changed BEFORE UPDATE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION audit_events_are_kept();
CREATE TRIGGER audit_checkpoints_are_not_deleted BEFORE DELETE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION audit_link_may_go();
CREATE TRIGGER audit_checkpoints_are_not_emptied BEFORE TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_are_kept();

CREATE TRIGGER audit_cuts_are_not_changed BEFORE UPDATE OR DELETE ON audit_cuts
    FOR EACH ROW EXECUTE FUNCTION audit_events_are_kept();
CREATE TRIGGER audit_cuts_are_not_emptied BEFORE TRUNCATE ON audit_cuts
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_are_kept();
