-- outbox-relay: who owns which lane, and the rows that could not be published. Its cursor is in Kafka.

-- A row for each lane, made by the first relay that starts. How many there are is never changed afterwards.
CREATE TABLE relay_leases (
  lane INT UNSIGNED NOT NULL PRIMARY KEY,
  owner VARCHAR(255) NULL,
  lease_until DATETIME(6) NULL,
  -- A note, some seconds old: by it one can tell that Kafka has forgotten a position.
  published_up_to BIGINT UNSIGNED NULL
) DEFAULT CHARSET = utf8mb4;

-- The relays that are alive: those without a lane must be counted too when the lanes are shared out.
CREATE TABLE relay_members (
  relay VARCHAR(255) NOT NULL PRIMARY KEY,
  alive_until DATETIME(6) NOT NULL
) DEFAULT CHARSET = utf8mb4;

-- Copies of rows of the outbox that Kafka does not take, whole: the originals leave with their partition.
CREATE TABLE relay_parked (
  seq BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  id CHAR(36) CHARACTER SET ascii NOT NULL,
  aggregatetype VARCHAR(255) NOT NULL,
  aggregateid VARCHAR(255) NOT NULL,
  type VARCHAR(255) NOT NULL,
  payload JSON NOT NULL,
  correlation_id VARCHAR(128) CHARACTER SET ascii NOT NULL,
  created_at DATETIME(6) NOT NULL,
  error TEXT NOT NULL,
  attempts INT UNSIGNED NOT NULL,
  parked_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) DEFAULT CHARSET = utf8mb4;

CREATE USER IF NOT EXISTS 'outbox_relay'@'%' IDENTIFIED BY 'outbox_relay';
-- To see open transactions in information_schema.innodb_trx.
GRANT PROCESS ON *.* TO 'outbox_relay'@'%';
GRANT SELECT ON schema_versions TO 'outbox_relay'@'%';
-- ALTER and what goes with it only for the partitions: rows are never changed.
GRANT SELECT, ALTER, CREATE, INSERT, DROP ON outbox TO 'outbox_relay'@'%';
GRANT SELECT, INSERT, UPDATE ON relay_leases TO 'outbox_relay'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON relay_members TO 'outbox_relay'@'%';
GRANT SELECT, INSERT, UPDATE ON relay_parked TO 'outbox_relay'@'%';

INSERT INTO schema_versions VALUES ('outbox-relay', 1);
