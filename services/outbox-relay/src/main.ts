import { createKafka, waitForKafka } from '@kafka-pattern/kafka-config'
import { createMysql, watchMysql } from '@kafka-pattern/mysql-config'
import { createLogger, createService, loadSettings } from '@kafka-pattern/service-runtime'
import { Settings, closeDatabaseAfterMs, mysqlOptions } from './config.ts'
import { createRelayParts } from './relay-parts.ts'
import { createRelayReport } from './relay-report.ts'
import { checkStart } from './start-checks.ts'

const settings = loadSettings(Settings, { name: 'outbox-relay' })
const logger = createLogger({ name: settings.KAFKA_CLUSTER_NAME, level: settings.LOG_LEVEL })
const service = createService({ name: settings.KAFKA_CLUSTER_NAME, settings, logger })
const kafka = createKafka(settings, logger)
const mysql = createMysql(settings, logger, mysqlOptions)
service.onStop('mysql', () => mysql.close())

const report = createRelayReport(logger, service.metrics)
service.onStop('report', () => report.stop())
const { relay, retention, cursors } = createRelayParts(settings, {
  kafka,
  mysql,
  logger,
  report,
  stopping: service.stopping,
  onFatal: error => service.fail(error),
})

const watch = watchMysql(mysql, { logger })
service.onStop('mysql watch', () => watch.stop())
service.readyWhen('MySQL', () => watch.healthy)
service.readyWhen('lanes', () => relay.healthy)

await service.run(async () => {
  const during = { logger, signal: service.stopping }
  await waitForKafka(kafka, during)
  await checkStart(settings, { kafka, mysql, cursors }, during)
  retention.start()
  service.onStop('retention', () => retention.stop())
  relay.start()
  // It stops first. A silent database is not waited for to the end: cut off, it lets the retention end as well.
  service.onStop('relay', async () => {
    const limit = setTimeout(() => void mysql.close(0), closeDatabaseAfterMs(settings))
    try {
      await relay.stop()
    } finally {
      clearTimeout(limit)
    }
  })
})
