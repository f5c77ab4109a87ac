-- What the service may do. Run this as the owner behind `authshield init` and behind every `authshield
-- migrate run`, before the new version starts; it may be run again at any time.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO authshield_service;

-- What happened is added to and read, and that is all. Only the owner erases a person or removes what is
-- kept no longer, with `authshield audit`.
REVOKE UPDATE, DELETE ON audit_events, audit_links, audit_checkpoints FROM authshield_service;
REVOKE INSERT, UPDATE, DELETE ON audit_cuts FROM authshield_service;

-- The schema is the owner's.
REVOKE INSERT, UPDATE, DELETE ON _sqlx_migrations, schema_notes FROM authshield_service;
