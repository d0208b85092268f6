-- cdc-poller: how far it has read, which of several pollers works, and what it could not publish.

CREATE TABLE poller_cursors (
  -- The topic. Kafka tells upper from lower case.
  name VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  -- Everything before (updated_at, key) is published, and nothing can appear there any more.
  cursor_updated_at DATETIME(6) NOT NULL,
  -- JSON: an array of texts, one for each key column; none = before every key of that moment.
  cursor_key TEXT NOT NULL,
  -- NULL = nobody's.
  owner VARCHAR(255) NULL,
  lease_until DATETIME(6) NULL,
  -- Counts the owners: what an earlier one writes late is refused.
  epoch BIGINT UNSIGNED NOT NULL DEFAULT 0
) DEFAULT CHARSET = utf8mb4;

-- Rows that are not in the topic as they are in their table, because Kafka does not take a record so large.
CREATE TABLE poller_parked (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  -- The topic.
  name VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  record_key TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  version TEXT NOT NULL,
  reason TEXT NOT NULL,
  parked_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  KEY poller_parked_name (name)
) DEFAULT CHARSET = utf8mb4;

CREATE USER IF NOT EXISTS 'cdc_poller'@'%' IDENTIFIED BY 'cdc_poller';
-- To see what is open: information_schema.innodb_trx and every session of the process list.
GRANT PROCESS ON *.* TO 'cdc_poller'@'%';
GRANT SELECT ON schema_versions TO 'cdc_poller'@'%';
GRANT SELECT ON users TO 'cdc_poller'@'%';
GRANT SELECT, INSERT, UPDATE ON poller_cursors TO 'cdc_poller'@'%';
GRANT SELECT, INSERT, DELETE ON poller_parked TO 'cdc_poller'@'%';

INSERT INTO schema_versions VALUES ('cdc-poller', 3);
