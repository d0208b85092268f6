/** What the tests share in which brokers die: a producer that sends without pause, and what became of its records. */
import { eventually, Ledger, readTopic } from '@kafka-pattern/test-kit'
import type { OwnKafka } from '@kafka-pattern/test-kit'
import { expect, onTestFinished } from 'vitest'
import { createGatheringProducer } from './gathering-producer.ts'
import type { GatheringProducer, GatheringProducerOptions } from './gathering-producer.ts'

export async function connectedProducer(
  on: Pick<OwnKafka, 'kafka' | 'logger'>,
  options: Partial<GatheringProducerOptions> = {},
): Promise<GatheringProducer> {
  const producer = createGatheringProducer(on.kafka, { logger: on.logger, ...options })
  onTestFinished(() => producer.close())
  await producer.connect()
  return producer
}

/** Sends numbered records for ten keys, without waiting for answers, until `stop` is called. */
export function sendWithoutPause(producer: GatheringProducer, topic: string) {
  const ledger = new Ledger()
  const sends: Promise<unknown>[] = []
  /** The highest number that was acknowledged, and how many were, by partition. */
  const newest = new Map<number, number>()
  let acknowledged = 0
  let sequence = 0
  async function sendNumbered(k: number, own: number): Promise<void> {
    const { partition } = await producer.send({ topic, key: `key-${k}`, value: String(own) })
    ledger.sent(`key-${k}`, own)
    acknowledged++
    newest.set(partition, Math.max(own, newest.get(partition) ?? -1))
  }
  const timer = setInterval(() => {
    // A broker that takes its time to come back must not find the producer's queue full.
    if (sends.length - acknowledged > 20_000) return
    for (let k = 0; k < 10; k++) {
      sends.push(sendNumbered(k, sequence))
    }
    sequence++
  }, 5)
  onTestFinished(() => clearInterval(timer))
  return {
    /** Partitions of the records that were acknowledged so far. */
    partitions: () => [...newest.keys()],
    /** Resolves when 600 more records were acknowledged, and one sent from now on in each of these partitions. */
    async moreAcknowledged(partitions = [...newest.keys()]): Promise<void> {
      const from = sequence
      const atLeast = acknowledged + 600
      await eventually(
        () => {
          expect(acknowledged).toBeGreaterThanOrEqual(atLeast)
          for (const partition of partitions) expect(newest.get(partition)).toBeGreaterThanOrEqual(from)
        },
        { what: `new records to be acknowledged in the partitions [${partitions.join()}]` },
      )
    },
    /** Resolves when every record was acknowledged; rejects with the first that was not. */
    async stop(): Promise<Ledger> {
      clearInterval(timer)
      await Promise.all(sends)
      return ledger
    },
  }
}

/** What was lost or turned round. A request whose answer was lost is sent again, so duplicates are no fault here. */
export async function faultsOf(ledger: Ledger, topic: string, on: OwnKafka): Promise<string[]> {
  for (const { key, value, partition, offset } of await readTopic(topic, { on })) {
    ledger.seen(String(key), Number(value), `${partition}/${offset}`)
  }
  const { total, faults } = ledger.report()
  expect(total.sent).toBeGreaterThan(1_000)
  return faults.filter(fault => !fault.startsWith('duplicated'))
}

/** The error with which a send fails, and how long that took. */
export async function failureOf(send: Promise<unknown>): Promise<{ error: unknown; afterMs: number }> {
  const sentAt = performance.now()
  try {
    await send
  } catch (error) {
    return { error, afterMs: performance.now() - sentAt }
  }
  throw new Error('acknowledged, although nobody can have done that')
}
