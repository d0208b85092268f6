import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createGatheringProducer } from '@kafka-pattern/kafka-config'
import {
  createTopic,
  eventually,
  Ledger,
  startOwnKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import { startInstance } from './test-instance.ts'
import type { OwnKafka, TestKafka } from '@kafka-pattern/test-kit'

const partitions = 6
const moves = 5

test('leaders that move under load, while their old brokers live: no record lost, none twice, every key in order', async () => {
  // The group's coordinator must not be held for dead when it has no time for a while: what could not be committed comes again.
  const config = { 'broker.session.timeout.ms': 60_000 }
  const cluster = await startOwnKafka({ brokers: 3, config })
  const configs = { 'min.insync.replicas': '1' }
  const topic = await createTopic({ on: cluster, partitions, replicationFactor: 2, configs })
  const ledger = new Ledger()
  const handledAt = new Map<string, number>()
  // Batches that wait most of the time: what is only collected when the group is rejoined has to be fetched again.
  const instance = await startInstance({
    on: cluster,
    topics: [topic],
    group: uniqueName('batch-group'),
    batchSize: 1_000,
    batchTimeoutMs: 500,
    handle: (records, { partition }) => {
      for (const { record, value } of records) {
        const place = `${partition}/${record.offset}`
        handledAt.set(place, (handledAt.get(place) ?? 0) + 1)
        ledger.seen(String(record.key), Number(value.name), place)
      }
    },
  })
  const stopLoad = startLoad(cluster, topic, ledger)

  for (let move = 0; move < moves; move++) {
    const { seen } = ledger.report().total
    await eventually(() => expect(ledger.report().total.seen).toBeGreaterThan(seen + 50), {
      what: 'batches before the move',
    })
    const joins = instance.assignments.length
    await moveLeader(cluster, topic, move % partitions)
    await eventually(() => expect(instance.assignments.length).toBeGreaterThan(joins), {
      what: 'the group to be rejoined because a broker is not the leader any more',
    })
  }

  await stopLoad()
  await eventually(() => expect(ledger.report().total.lost).toBe(0), { what: 'every record to be handled' })
  const { total, faults } = ledger.report()
  expect(total.reordered, faults.join('\n')).toBe(0)
  expect([...handledAt].filter(([, times]) => times > 1)).toEqual([])
}, 360_000)

/** A record of each key every 20 ms, whatever becomes of those before. */
function startLoad(cluster: TestKafka, topic: string, ledger: Ledger): () => Promise<void> {
  const producer = createGatheringProducer(cluster.kafka, {
    logger: cluster.logger,
    deliveryTimeoutMs: 120_000,
  })
  onTestFinished(() => producer.close())
  const stopping = new AbortController()
  onTestFinished(() => stopping.abort())
  const sent: Promise<void>[] = []
  const loading = (async () => {
    await producer.connect()
    for (let sequence = 1; !stopping.signal.aborted; sequence++) {
      for (let key = 0; key < 2 * partitions; key++) {
        const value = { id: randomUUID(), event: 'create', level: 1, name: String(sequence) }
        const record = { topic, key: `key${key}`, value: JSON.stringify(value) }
        sent.push(producer.send(record).then(() => ledger.sent(record.key, sequence)))
      }
      await delay(20)
    }
  })()
  return async () => {
    stopping.abort()
    await loading
    await Promise.all(sent)
  }
}

/** Takes the leader's replica away, so that the other one leads; the old leader goes on as a broker. */
async function moveLeader(cluster: OwnKafka, topic: string, partition: number): Promise<void> {
  await withAdmin(cluster, async admin => {
    const find = async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics[0]!.partitions.find(({ partitionId }) => partitionId === partition)!
    }
    const { leader, replicas } = await find()
    const unused = cluster.nodes.find(({ id }) => !replicas.includes(id))!.id
    const kept = replicas.filter(id => id !== leader)
    await admin.alterPartitionReassignments({
      topics: [{ topic, partitionAssignment: [{ partition, replicas: [...kept, unused] }] }],
    })
    await eventually(async () => expect(kept).toContain((await find()).leader), { what: 'the other leader' })
  })
}
