-- Two roles: the owner migrates and owns the tables; the service reads and writes rows, and can change
-- neither the schema nor what stands in the audit trail. Run this once, in the database of AuthShield, as
-- a superuser, with passwords of your own.
CREATE ROLE authshield_owner LOGIN PASSWORD 'REPLACE_ME_1';
CREATE ROLE authshield_service LOGIN PASSWORD 'REPLACE_ME_2';

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO authshield_owner;
GRANT USAGE ON SCHEMA public TO authshield_service;
