-- mysql-sink-consumer: the replica, and beside it, moved in the same transaction, how far the topic was read.

CREATE TABLE users_replica (
  id CHAR(36) CHARACTER SET ascii NOT NULL PRIMARY KEY,
  name VARCHAR(200) NOT NULL,
  level TINYINT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  -- Set = deleted. The row stays with its version, so that an older event cannot bring it back.
  deleted_at DATETIME(6) NULL
) DEFAULT CHARSET = utf8mb4;

-- docker-compose.yml runs a sink for each database pattern, and each fills a replica of its own (REPLICA_TABLE).
CREATE TABLE users_replica_cdc LIKE users_replica;
CREATE TABLE users_replica_outbox LIKE users_replica;

CREATE TABLE consumer_offsets (
  -- Kafka tells upper from lower case: groups `sink` and `Sink` must not share their offsets.
  group_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  topic VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  partition_id INT UNSIGNED NOT NULL,
  next_offset BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (group_id, topic, partition_id)
) DEFAULT CHARSET = utf8mb4;

CREATE USER IF NOT EXISTS 'mysql_sink_consumer'@'%' IDENTIFIED BY 'mysql_sink_consumer';
GRANT SELECT ON schema_versions TO 'mysql_sink_consumer'@'%';
GRANT SELECT, INSERT, UPDATE ON users_replica TO 'mysql_sink_consumer'@'%';
GRANT SELECT, INSERT, UPDATE ON users_replica_cdc TO 'mysql_sink_consumer'@'%';
GRANT SELECT, INSERT, UPDATE ON users_replica_outbox TO 'mysql_sink_consumer'@'%';
GRANT SELECT, INSERT, UPDATE ON consumer_offsets TO 'mysql_sink_consumer'@'%';

INSERT INTO schema_versions VALUES ('mysql-sink-consumer', 2);
