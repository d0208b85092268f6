import {
  createTopic,
  eventually,
  produce,
  startOwnKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import type { TestKafka } from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import { createGatheringProducer } from './gathering-producer.ts'
import { createGroupConsumer } from './group-consumer.ts'

test('a cluster whose group coordinator dies: consumption goes on, nothing is lost', async () => {
  const cluster = await startOwnKafka({ brokers: 3 })
  const topic = await createTopic({ on: cluster, partitions: 3, replicationFactor: 3 })
  const groupId = uniqueName('group')
  const consumer = createGroupConsumer(cluster.kafka, {
    groupId,
    topics: [topic],
    from: 'earliest',
    logger: cluster.logger,
  })
  onTestFinished(() => consumer.stop())
  const fatal: Error[] = []
  consumer.onFatal(error => fatal.push(error))
  const seen: string[] = []
  await consumer.start({
    onRecords: async ({ partition, records, assignment }) => {
      seen.push(...records.map(({ value }) => String(value)))
      const next = String(BigInt(records.at(-1)!.offset) + 1n)
      await consumer.commit(topic, partition, next, assignment)
    },
  })
  const producer = createGatheringProducer(cluster.kafka, {
    logger: cluster.logger,
    deliveryTimeoutMs: 120_000,
  })
  onTestFinished(() => producer.close())
  const send = (from: number) =>
    producer.sendBatch(
      Array.from({ length: 30 }, (_, index) => ({
        topic,
        key: `k${from + index}`,
        value: `v${from + index}`,
      })),
    )
  await send(0)
  await eventually(() => expect(new Set(seen).size).toBe(30), { what: 'the first records' })

  const coordinator = await findCoordinator(cluster, groupId)
  await cluster.nodes.find(({ id }) => id === coordinator)!.kill()
  await send(30)
  await eventually(() => expect(new Set(seen).size).toBe(60), { what: 'the records after the death' })
  await eventually(() => expect(consumer.joined).toBe(true), { what: 'the membership' })
  expect(fatal).toEqual([])
}, 300_000)

test('in memory: what is in hand when another partition moves to another broker is not delivered again', async () => {
  const cluster = await startOwnKafka({ brokers: 3 })
  const topic = await createTopic({ on: cluster, partitions: 2 })
  const leaders = await findLeaders(cluster, topic)
  expect(leaders[0]).not.toBe(leaders[1])
  const consumer = createGroupConsumer(cluster.kafka, {
    groupId: uniqueName('group'),
    topics: [topic],
    from: 'earliest',
    positions: 'in memory',
    logger: cluster.logger,
  })
  onTestFinished(() => consumer.stop())
  const seen: string[] = []
  let held = Promise.withResolvers<void>()
  let latest = 0
  await consumer.start({
    onRecords: async ({ records }) => {
      seen.push(...records.map(({ value }) => String(value)))
      await held.promise
    },
    onAssigned: (_, assignment) => void (latest = assignment),
    onRevoked: () => held.resolve(),
  })
  const sent: string[] = []
  const send = async (value: string) => {
    sent.push(value)
    await produce([{ topic, partition: 0, key: 'k', value }], cluster)
    await eventually(() => expect(seen).toContain(value), { what: `${value} in hand` })
  }

  // Whoever asks for metadata at the right moment learns of the move without a rejoin, and then waits for the handler: once more.
  const places = [cluster.nodes.find(({ id }) => !leaders.includes(id))!.id, leaders[1]!]
  const assignedBefore = latest
  for (let rejoined = false; !rejoined; rejoined = latest > assignedBefore) {
    expect(sent.length, 'moves without a rejoin').toBeLessThan(20)
    held = Promise.withResolvers()
    await send(`record ${sent.length}`)
    await moveLeader(cluster, topic, 1, places[(sent.length - 1) % 2]!)
    const rejoin = eventually(() => expect(latest).toBeGreaterThan(assignedBefore), {
      what: 'the rejoin',
      timeoutMs: 5_000,
    })
    await Promise.allSettled([rejoin])
    held.resolve()
  }
  await send('the next one')
  expect(seen).toEqual(sent)
}, 300_000)

async function moveLeader(cluster: TestKafka, topic: string, partition: number, to: number): Promise<void> {
  await withAdmin(cluster, admin =>
    admin.alterPartitionReassignments({
      topics: [{ topic, partitionAssignment: [{ partition, replicas: [to] }] }],
    }),
  )
  await eventually(async () => expect((await findLeaders(cluster, topic))[partition]).toBe(to), {
    what: `broker ${to} to lead`,
  })
}

/** Node ids, in the order of the partitions. */
async function findLeaders(cluster: TestKafka, topic: string): Promise<number[]> {
  const { topics } = await withAdmin(cluster, admin => admin.fetchTopicMetadata({ topics: [topic] }))
  return topics[0]!.partitions.toSorted((a, b) => a.partitionId - b.partitionId).map(({ leader }) => leader)
}

/** Node id of the broker that coordinates the group. */
async function findCoordinator({ kafka }: TestKafka, groupId: string): Promise<number> {
  const connection = kafka.cluster()
  await connection.connect()
  try {
    await connection.refreshMetadata()
    const { coordinator } = await connection.findGroupCoordinatorMetadata({ groupId })
    return coordinator.nodeId
  } finally {
    await connection.disconnect()
  }
}
