/** A consumer of the package under test that notes what happens to it, in order. */
import { testKafka } from '@kafka-pattern/test-kit'
import { onTestFinished } from 'vitest'
import type { Consumer, ConsumerConfig, ConsumerRunConfig, KafkaMessage } from 'kafkajs'
import { kafkajs } from './kafkajs-under-test.ts'

export interface ObservedConsumer {
  consumer: Consumer
  /** 'joined', 'revoked' (begun), 'revocation done', 'rebalancing', 'crashed', in the order they happened */
  events: string[]
  /** of the current generation */
  assigned: number[]
  received: { partition: number; message: KafkaMessage }[]
  heartbeats: number
  crash: Error | undefined
  stop(): Promise<void>
}

/** A client of the package under test, on the brokers of this test run. */
export function kafkaUnderTest() {
  return new kafkajs.Kafka({
    brokers: testKafka().brokers,
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 20, maxRetryTime: 1_000 }, // a broker that has just started has no coordinator yet
  })
}

/** Starts a consumer that commits nothing by itself; it is stopped at the end of the test. */
export async function startConsumer(
  options: ConsumerConfig & Pick<ConsumerRunConfig, 'onPartitionsRevoked'> & { topic: string },
): Promise<ObservedConsumer> {
  const { topic, onPartitionsRevoked, ...config } = options
  const consumer = kafkaUnderTest().consumer({
    maxWaitTimeInMs: 200,
    heartbeatInterval: 100,
    ...config,
    retry: { retries: 20, maxRetryTime: 1_000, restartOnFailure: async () => false },
  })
  const observed: ObservedConsumer = {
    consumer,
    events: [],
    assigned: [],
    received: [],
    heartbeats: 0,
    crash: undefined,
    stop: () => consumer.disconnect(),
  }

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    observed.events.push('joined')
    observed.assigned = payload.memberAssignment[topic] ?? []
  })
  consumer.on(consumer.events.HEARTBEAT, () => observed.heartbeats++)
  consumer.on(consumer.events.REBALANCING, () => observed.events.push('rebalancing'))
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    observed.events.push('crashed')
    observed.crash = payload.error
  })

  onTestFinished(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      observed.received.push({ partition, message })
    },
    onPartitionsRevoked: async () => {
      observed.events.push('revoked')
      await onPartitionsRevoked?.()
      observed.events.push('revocation done')
    },
  })
  return observed
}
