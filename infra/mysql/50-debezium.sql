-- Debezium in the place of cdc-poller and outbox-relay: reads the binary log as a replica would.

CREATE USER IF NOT EXISTS 'debezium'@'%' IDENTIFIED BY 'debezium';
GRANT RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'debezium'@'%';
GRANT SELECT ON users TO 'debezium'@'%';
GRANT SELECT ON outbox TO 'debezium'@'%';
