import { once } from 'node:events'
import { createServer } from 'node:net'
import { TopicSetupError, createKafka, kafkaSettings } from '@kafka-pattern/kafka-config'
import { createLogger } from '@kafka-pattern/service-runtime'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { EventTopics } from './event-topics.ts'

test('what is wrong with the client is no refusal of a topic', async () => {
  const broker = await startWithoutTls()
  const logger = createLogger({ name: 'test', level: 'silent' })
  const settings = z.object(kafkaSettings).parse({ KAFKA_BROKERS: broker, KAFKA_TLS: 'true' })
  const { signal } = new AbortController()
  const topics = new EventTopics({
    kafka: createKafka(settings, logger),
    logger,
    partitions: 1,
    replicationFactor: 1,
    aggregateTypes: null,
    maxAttempts: 1,
    stopping: signal,
  })
  const error = await topics.refusalOf('user', signal).catch((failure: unknown) => failure)
  expect(error).toBeInstanceOf(TopicSetupError)
  expect(error).toMatchObject({ category: 'fatal' })
})

/** A listener that does not speak TLS. */
async function startWithoutTls(): Promise<string> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.end('this is not TLS')
  })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  return `127.0.0.1:${address.port}`
}
