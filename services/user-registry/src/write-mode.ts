/** Which of the three lessons runs, and what it needs besides the database. */
import { outboxTopic, outboxTopicSpec } from '@kafka-pattern/events'
import { createGatheringProducer, createKafka, ensureTopics, waitForKafka } from '@kafka-pattern/kafka-config'
import { dualWriter } from './dual-write.ts'
import { rowWriter } from './write-row.ts'
import { rowAndOutboxWriter } from './write-row-and-outbox.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { Logger } from '@kafka-pattern/service-runtime'
import type { Settings } from './config.ts'
import type { UserWriter } from './user-writer.ts'

export interface WriteMode {
  readonly writer: UserWriter
  /** Statements that change nothing and show whether the database user may do what the mode does. */
  readonly grants: readonly string[]
  /** Connects to what it needs besides the database. */
  start(during: { logger: Logger; signal: AbortSignal }): Promise<void>
  readonly connected: boolean
  close(): Promise<void>
}

const rowGrants = [
  'SELECT id FROM users WHERE FALSE',
  "INSERT INTO users (id, name, level, version) SELECT '', '', 0, 0 FROM DUAL WHERE FALSE",
  'UPDATE users SET level = 0 WHERE FALSE',
]
const outboxGrant =
  "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, correlation_id) SELECT '', '', '', '', '{}', '' FROM DUAL WHERE FALSE"

export function createWriteMode(settings: Settings, mysql: Mysql, logger: Logger): WriteMode {
  switch (settings.WRITE_MODE) {
    case 'table':
      return { writer: rowWriter(mysql), grants: rowGrants, ...databaseAlone }
    case 'outbox':
      return { writer: rowAndOutboxWriter(mysql), grants: [...rowGrants, outboxGrant], ...databaseAlone }
    case 'dual':
      return createDualMode(settings, mysql, logger)
    default:
      return settings.WRITE_MODE satisfies never
  }
}

const databaseAlone = { connected: true, start: async () => {}, close: async () => {} }

function createDualMode(settings: Settings, mysql: Mysql, logger: Logger): WriteMode {
  const kafka = createKafka(settings, logger)
  const producer = createGatheringProducer(kafka, {
    logger,
    // The rest is for the database, and for the answer to travel.
    deliveryTimeoutMs: settings.REQUEST_TIMEOUT_MS * 0.5,
  })
  return {
    writer: dualWriter(mysql, producer),
    grants: rowGrants,
    async start(during) {
      logger.warn({ topic: outboxTopic('user') }, 'WRITE_MODE=dual loses events: it is here to be watched')
      await waitForKafka(kafka, during)
      await ensureTopics(kafka, [outboxTopicSpec('user')], during)
      await producer.connect()
    },
    get connected() {
      return producer.connected
    },
    close: () => producer.close(),
  }
}
