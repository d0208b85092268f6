import { setTimeout as delay } from 'node:timers/promises'
import {
  createTopic,
  eventually,
  readTopic,
  startOwnKafka,
  uniqueName,
  withAdmin,
  type OwnKafka,
} from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import { classifyKafkaError } from './errors.ts'
import { createTransactionalProducer } from './transactional-producer.ts'
import type { TransactionalProducer } from './transactional-producer.ts'

interface Lane {
  readonly name: string
  readonly producer: TransactionalProducer
  /** Transactions of which it knows that they are. */
  committed: number
}

test.each([
  { when: 'at once', transactionTimeoutMs: 30_000, awayMs: 0 },
  { when: 'after the transaction timeout', transactionTimeoutMs: 10_000, awayMs: 15_000 },
])(
  'what was committed while its partition lost the leader is seen, once; it is back $when',
  async options => {
    const config = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500 }
    const kafka = await startOwnKafka({ brokers: 3, config })
    const topic = await createTopic({ on: kafka })
    const lanes = await openLanes(kafka, options.transactionTimeoutMs)
    const faultBegins = new AbortController()
    const publishing = lanes.map(lane => publishUntil(faultBegins.signal, lane, topic))
    await eventually(() => expect(Math.min(...lanes.map(({ committed }) => committed))).toBeGreaterThan(2), {
      what: 'every producer to publish',
    })

    // Frozen, it leaves transactions that are committed while the marker that says so to its partition is still on its way. All
    // connections are lost at once, as by the death of a broker that is alone.
    const leaderId = await leaderOf(kafka, topic)
    const leader = kafka.nodes.find(({ id }) => id === leaderId)!
    faultBegins.abort()
    await leader.freeze()
    await Promise.all(lanes.map(({ producer }) => producer.close()))
    await Promise.all(publishing)
    await leader.kill()
    await eventually(() => expect(leaderOf(kafka, topic)).rejects.toThrow(/no leader/), {
      what: 'the partition to be without a leader',
    })
    await delay(options.awayMs)
    const opening = lanes.map(({ producer }) => openAtLast(producer))
    await leader.start()
    await Promise.all(opening)

    const expected: string[] = []
    for (const { name, producer, committed } of lanes) {
      const position = Number((await producer.position())?.offset)
      // Of the one that failed nobody knew whether it was committed.
      expect([committed, committed + 1]).toContain(position)
      for (let n = 1; n <= position; n++) expected.push(`${name} ${n}`)
    }
    const seen = await readTopic(topic, { count: expected.length, on: kafka })
    expect(seen.map(({ value }) => String(value)).toSorted()).toEqual(expected.toSorted())
  },
  420_000,
)

async function openLanes(kafka: OwnKafka, transactionTimeoutMs: number): Promise<Lane[]> {
  const count = 12
  const positions = await createTopic({ on: kafka, partitions: count, replicationFactor: 3 })
  const groupId = uniqueName('lanes')
  return Promise.all(
    Array.from({ length: count }, async (_, partition) => {
      const name = `${groupId}-${partition}`
      const place = { groupId, topic: positions, partition }
      const { logger } = kafka
      const producer = createTransactionalProducer(kafka.kafka, {
        logger,
        transactionalId: name,
        place,
        transactionTimeoutMs,
      })
      onTestFinished(() => producer.close())
      // A young cluster still elects, loads and catches up.
      await eventually(
        async () => {
          await producer.open()
          await producer.publish([], { offset: '0', metadata: '' })
        },
        { what: 'a first transaction' },
      )
      return { name, producer, committed: 0 }
    }),
  )
}

function openAtLast(producer: TransactionalProducer): Promise<void> {
  return eventually(() => producer.open(), { what: 'the coordinators and the leaders', timeoutMs: 120_000 })
}

/** One transaction after the other, until one fails after the signal. */
async function publishUntil(faultBegins: AbortSignal, lane: Lane, topic: string): Promise<void> {
  const { name, producer } = lane
  for (;;) {
    const next = lane.committed + 1
    const record = { topic, key: name, value: `${name} ${next}` }
    try {
      await producer.publish([record], { offset: `${next}`, metadata: '' })
      lane.committed = next
    } catch (error) {
      if (faultBegins.aborted) return
      if (classifyKafkaError(error) !== 'retryable') throw error
      // Before the signal one may fail, too: to its controller a broker that has no time for a while is dead.
      const position = await eventually(
        async () => {
          if (faultBegins.aborted) return null
          await producer.open()
          return Number((await producer.position())?.offset)
        },
        { what: 'what is committed' },
      )
      if (position === null) return
      if (position !== lane.committed && position !== next)
        throw new Error(`${name} is at ${position}, and ${lane.committed} was committed`, { cause: error })
      lane.committed = position
    }
  }
}

/** Of the topic's only partition. Fails while there is none. */
async function leaderOf(kafka: OwnKafka, topic: string): Promise<number> {
  const { topics } = await withAdmin(kafka, admin => admin.fetchTopicMetadata({ topics: [topic] }))
  return topics[0]!.partitions[0]!.leader
}
