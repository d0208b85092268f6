-- cdc-poller: how far it has read, and which of several pollers works.

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

CREATE USER IF NOT EXISTS 'cdc_poller'@'%' IDENTIFIED BY 'cdc_poller';
-- To see what is open: information_schema.innodb_trx and every session of the process list.
GRANT PROCESS ON *.* TO 'cdc_poller'@'%';
GRANT SELECT ON schema_versions TO 'cdc_poller'@'%';
GRANT SELECT ON users TO 'cdc_poller'@'%';
GRANT SELECT, INSERT, UPDATE ON poller_cursors TO 'cdc_poller'@'%';

INSERT INTO schema_versions VALUES ('cdc-poller', 2);
