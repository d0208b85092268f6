-- Numbered files, loaded in their order into an empty database by both runtimes and by the tests. They name no database, so they
-- work in any (grants on a bare table name hold for the current one), and run on MySQL >= 8.0 and MariaDB >= 10.11.
-- The passwords are for development; production creates its users elsewhere.

-- One row for each file: a service refuses to start on a schema that it was not written for.
CREATE TABLE schema_versions (
  component VARCHAR(64) CHARACTER SET ascii NOT NULL PRIMARY KEY,
  version INT NOT NULL
);
