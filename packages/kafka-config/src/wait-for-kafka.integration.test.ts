import { AbortError } from '@kafka-pattern/retry'
import {
  connectTo,
  createTopic,
  eventually,
  startOwnKafka,
  testKafka,
  uniqueName,
} from '@kafka-pattern/test-kit'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { createKafka, withAdmin } from './kafka.ts'
import { createTransactionalProducer } from './transactional-producer.ts'
import { waitForKafka } from './wait-for-kafka.ts'

/** A log whose lines are kept, and whose first line is announced. */
function keepLines() {
  const lines: { msg: string; reason: string; level: number }[] = []
  const firstLine = Promise.withResolvers<void>()
  const write = (line: string) => {
    lines.push(JSON.parse(line))
    firstLine.resolve()
  }
  return { logger: pino({ level: 'info' }, { write }), lines, firstLine: firstLine.promise }
}

test('waits until a broker answers, and says meanwhile what it waits for', async () => {
  const { settings, nodes } = await startOwnKafka()
  const [broker] = nodes
  await broker!.kill()
  const { logger, lines } = keepLines()
  const waiting = waitForKafka(createKafka(settings, logger), { logger })
  const refused = expect.stringContaining(`ECONNREFUSED ${settings.KAFKA_BROKERS[0]}`)
  await eventually(() => expect(lines).toContainEqual(expect.objectContaining({ reason: refused })), {
    what: 'the reason',
  })
  await broker!.start()
  await waiting
  expect(lines[0]).toMatchObject({ msg: 'waiting for a Kafka broker to answer', level: 40 })
  // Nothing but that: what kafkajs itself says of each attempt is not for whoever runs a service.
  for (const { msg } of lines) expect(msg).toBe('waiting for a Kafka broker to answer')
})

test('a broker of the list that is away does not keep the others from being asked', async () => {
  const { brokers } = testKafka()
  // Port 9 is the discard service: nothing listens there.
  const { kafka, logger } = connectTo(['127.0.0.1:9', ...brokers])
  await waitForKafka(kafka, { logger })
  const asked = Array.from({ length: 8 }, () => withAdmin(kafka, admin => admin.listTopics()))
  expect(await Promise.all(asked)).toHaveLength(8)
  const producer = createTransactionalProducer(kafka, {
    logger,
    transactionalId: uniqueName('transactional'),
    place: { groupId: uniqueName('group'), topic: await createTopic(), partition: 0 },
  })
  onTestFinished(() => producer.close())
  await eventually(
    async () => {
      await producer.open()
      expect(await producer.position()).toBeNull()
    },
    { what: 'whoever tries once, and then again' },
  )
})

test('an abort ends the wait', async () => {
  const { logger, firstLine } = keepLines()
  const stop = new AbortController()
  // Port 9 is the discard service: nothing listens there.
  const settings = { KAFKA_BROKERS: ['127.0.0.1:9'], KAFKA_CLUSTER_NAME: 'test', KAFKA_TLS: false }
  const waiting = waitForKafka(createKafka(settings, logger), { logger, signal: stop.signal })
  await firstLine
  stop.abort()
  await expect(waiting).rejects.toThrow(AbortError)
})
