import { createHttpApi } from '@kafka-pattern/http-api'
import {
  createMysql,
  requireGrants,
  requireSchema,
  waitForMysql,
  watchMysql,
} from '@kafka-pattern/mysql-config'
import { createLogger, createService, loadSettings } from '@kafka-pattern/service-runtime'
import { mysqlOptions, Settings } from './config.ts'
import { addUserRoutes, bodyLimitBytes } from './http-api.ts'
import { createWriteMode } from './write-mode.ts'

const settings = loadSettings(Settings, { name: 'user-registry' })
const logger = createLogger({ name: settings.KAFKA_CLUSTER_NAME, level: settings.LOG_LEVEL })
const service = createService({ name: settings.KAFKA_CLUSTER_NAME, settings, logger })

const mysql = createMysql(settings, logger, mysqlOptions(settings))
service.onStop('MySQL', () => mysql.close())
const watch = watchMysql(mysql, { logger })
service.onStop('watch of MySQL', () => watch.stop())
service.readyWhen('MySQL', () => watch.healthy)

const mode = createWriteMode(settings, mysql, logger)
service.onStop('Kafka', () => mode.close())
service.readyWhen('Kafka', () => mode.connected)

let started = false
const api = await createHttpApi({
  title: settings.KAFKA_CLUSTER_NAME,
  host: settings.HOST,
  port: settings.PORT,
  routes: routes =>
    addUserRoutes(routes, {
      mysql,
      writer: mode.writer,
      accepts: () => started,
      answerMarginMs: settings.REQUEST_TIMEOUT_MS * 0.1,
      logger,
    }),
  bodyLimitBytes,
  stopping: service.stopping,
  requestTimeoutMs: settings.REQUEST_TIMEOUT_MS,
  logger,
})
service.onStop('http', () => api.close())

await service.run(async () => {
  const during = { logger, signal: service.stopping }
  logger.info({ port: await api.listen() }, 'listening')
  await waitForMysql(mysql, during, async () => {
    await requireSchema(mysql, 'user-registry', 1)
    await requireGrants(mysql, 'user-registry', mode.grants)
  })
  await mode.start(during)
  started = true
})
