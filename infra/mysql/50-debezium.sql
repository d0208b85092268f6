-- Debezium in the place of cdc-poller and outbox-relay: reads the binary log as a replica would.

CREATE USER IF NOT EXISTS 'debezium'@'%' IDENTIFIED BY 'debezium';
GRANT RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'debezium'@'%';
GRANT SELECT ON users TO 'debezium'@'%';
GRANT SELECT ON outbox TO 'debezium'@'%';
-- Where the short lock on everything is not to be had (somebody's statement waits for long, or a managed database forbids it),
-- Debezium locks the captured tables for the time of the snapshot instead.
GRANT LOCK TABLES ON * TO 'debezium'@'%';
