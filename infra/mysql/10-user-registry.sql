-- user-registry: the source of everything, a row for each user and, in the same transaction, a row for each event.

CREATE TABLE users (
  id CHAR(36) CHARACTER SET ascii NOT NULL PRIMARY KEY,
  name VARCHAR(200) NOT NULL,
  level TINYINT UNSIGNED NOT NULL,
  -- Counts the changes of this row: readers drop what is older than what they know.
  version BIGINT UNSIGNED NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  -- Set = deleted. The row stays, or a reader of the table would never learn of it.
  deleted_at DATETIME(6) NULL,
  -- What a poller walks along.
  KEY users_updated_at_id (updated_at, id)
) DEFAULT CHARSET = utf8mb4;

-- Append-only. The columns are those of Debezium's outbox event router, and one for each further header of the record, because that is
-- how it is told of them (table.fields.additional.placement: type:header:event-type,correlation_id:header:correlation-id).
-- Partitioned, so that old rows leave at once and without a trace in the undo log, by dropping a partition.
CREATE TABLE outbox (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id CHAR(36) CHARACTER SET ascii NOT NULL,
  aggregatetype VARCHAR(255) NOT NULL,
  aggregateid VARCHAR(255) NOT NULL,
  type VARCHAR(255) NOT NULL,
  payload JSON NOT NULL,
  correlation_id VARCHAR(128) CHARACTER SET ascii NOT NULL DEFAULT '',
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) DEFAULT CHARSET = utf8mb4
PARTITION BY RANGE (seq) (
  PARTITION p1000000 VALUES LESS THAN (1000000),
  PARTITION pmax VALUES LESS THAN MAXVALUE
);

CREATE USER IF NOT EXISTS 'user_registry'@'%' IDENTIFIED BY 'user_registry';
GRANT SELECT ON schema_versions TO 'user_registry'@'%';
GRANT SELECT, INSERT, UPDATE ON users TO 'user_registry'@'%';
GRANT INSERT ON outbox TO 'user_registry'@'%';

INSERT INTO schema_versions VALUES ('user-registry', 1);
