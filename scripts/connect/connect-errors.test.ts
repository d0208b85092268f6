import { expect, test } from 'vitest'
import { reasonOfRefusal, reasonOfTrace } from './connect-errors.ts'

test.each([
  {
    what: 'the innermost cause',
    trace: `org.apache.kafka.connect.errors.ConnectException: An exception occurred in the change event producer. This connector will be stopped.
	at io.debezium.pipeline.ErrorHandler.setProducerThrowable(ErrorHandler.java:67)
Caused by: io.debezium.DebeziumException: io.debezium.DebeziumException: User does not have the 'LOCK TABLES' privilege required to obtain a consistent snapshot by preventing concurrent writes to tables.
	... 6 more
Caused by: io.debezium.DebeziumException: User does not have the 'LOCK TABLES' privilege required to obtain a consistent snapshot by preventing concurrent writes to tables.
	... 10 more
`,
    reason:
      "User does not have the 'LOCK TABLES' privilege required to obtain a consistent snapshot by preventing concurrent writes to tables.",
  },
  {
    what: 'the first sentence of an error without a cause',
    trace: `io.debezium.DebeziumException: The database server is not configured to use a ROW binlog_format, which is required for this connector to work properly. Change the database configuration to use a binlog_format=ROW and restart the connector.
	at io.debezium.connector.binlog.BinlogSourceTask.validateBinlogConfiguration(BinlogSourceTask.java:66)
`,
    reason:
      'The database server is not configured to use a ROW binlog_format, which is required for this connector to work properly.',
  },
  {
    what: 'an error of one line',
    trace: 'org.apache.kafka.common.errors.TimeoutException: Timeout expired while fetching topic metadata\n',
    reason: 'Timeout expired while fetching topic metadata',
  },
  {
    what: 'an exception that has only its name',
    trace: 'java.lang.NullPointerException\n\tat io.debezium.X.y(X.java:1)\n',
    reason: 'java.lang.NullPointerException',
  },
  { what: 'nothing', trace: '', reason: 'it does not say why.' },
])('of a trace: $what', ({ trace, reason }) => {
  expect(reasonOfTrace(trace)).toBe(reason)
})

test.each([
  {
    what: 'the errors of the configuration',
    body: {
      error_code: 400,
      message:
        "Connector configuration is invalid and contains the following 2 error(s):\nUnable to connect: (conn=20) Access denied for user 'debezium'@'localhost' (using password: YES)\nThe 'topic.prefix' value is invalid\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
    },
    reason:
      "Unable to connect: (conn=20) Access denied for user 'debezium'@'localhost' (using password: YES); The 'topic.prefix' value is invalid",
  },
  {
    what: 'the first sentence of anything else',
    body: { error_code: 500, message: 'Request timed out. The worker is currently busy' },
    reason: 'Request timed out.',
  },
  { what: 'a body of another kind', body: ['x'], reason: '["x"]' },
])('of a refusal: $what', ({ body, reason }) => {
  expect(reasonOfRefusal(body)).toBe(reason)
})
