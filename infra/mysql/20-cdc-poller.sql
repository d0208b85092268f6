-- cdc-poller: how far it has read, and which of several pollers works.

CREATE TABLE poller_cursors (
  name VARCHAR(128) NOT NULL PRIMARY KEY,
  cursor_updated_at DATETIME(6) NOT NULL,
  cursor_id VARCHAR(255) NOT NULL,
  owner VARCHAR(128) NULL,
  lease_until DATETIME(6) NULL,
  -- Counts the owners: what an earlier one writes late is refused.
  epoch BIGINT UNSIGNED NOT NULL DEFAULT 0
) DEFAULT CHARSET = utf8mb4;

CREATE USER IF NOT EXISTS 'cdc_poller'@'%' IDENTIFIED BY 'cdc_poller';
-- To see open transactions in information_schema.innodb_trx.
GRANT PROCESS ON *.* TO 'cdc_poller'@'%';
GRANT SELECT ON schema_versions TO 'cdc_poller'@'%';
GRANT SELECT ON users TO 'cdc_poller'@'%';
GRANT SELECT, INSERT, UPDATE ON poller_cursors TO 'cdc_poller'@'%';

INSERT INTO schema_versions VALUES ('cdc-poller', 1);
