/** Three brokers, everything on all of them: what the relay promises holds while those that it depends on are killed in turn. */
import { eventually, startOwnKafka, withAdmin } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { countVersions, createOutbox, metric, publishedVersions, startWriting } from './test-relay.ts'
import type { OwnKafka, RunningService } from '@kafka-pattern/test-kit'

test('brokers killed in the midst of transactions: nothing lost, nothing twice, every aggregate in order', async () => {
  const cluster = await startOwnKafka({ brokers: 3, heapBytes: 256 * 1024 * 1024 })
  const outbox = await createOutbox({ kafka: cluster })
  const name = outbox.env.RELAY_NAME!
  const cursorTopic = outbox.env.KAFKA_CURSOR_TOPIC!
  const writing = await startWriting(outbox, {
    writers: 4,
    aggregates: 40,
    aggregatesPerTransaction: 2,
    eventsPerAggregate: 2,
    longestTransactionMs: 300,
    rollbackShare: 0.1,
  })
  const relay = await outbox.startRelay({ RELAY_LANES: '2' })
  await relay.waitForLog(line => line.msg === 'events published')

  const topics = [outbox.topic, cursorTopic, '__transaction_state', '__consumer_offsets']
  for (const [topic, key] of [
    ['__transaction_state', `${name}-lane-0-0`],
    [outbox.topic, null],
    ['__consumer_offsets', name],
    ['__transaction_state', `${name}-lane-1-1`],
  ] as const) {
    await eventually(async () => expect(await replicasMissing(cluster, topics)).toBe(0), {
      what: 'three replicas of everything in sync',
    })
    const leader = await leaderOf(cluster, topic, key)
    const node = cluster.nodes.find(({ id }) => id === leader)!
    const failedBefore = failedTransactions(relay)
    await node.kill()
    const published = () => metric(relay, 'outbox_relay_published_total')
    const before = await published()
    await eventually(
      async () => {
        expect(failedTransactions(relay)).toBeGreaterThan(failedBefore)
        expect(await published()).toBeGreaterThan(before + 100)
      },
      {
        what: `a transaction to be hit by the death of the leader of ${topic}, and events to be published without it`,
      },
    )
    await node.start()
  }

  await writing.stop()
  const expected = await writing.expected()
  const on = { on: cluster, timeoutMs: 120_000 }
  expect(await publishedVersions(outbox.topic, { count: countVersions(expected), ...on })).toEqual(expected)
  // Nor comes anything after that.
  expect(await relay.stop()).toBe(0)
  expect(await publishedVersions(outbox.topic, on)).toEqual(expected)
  expect(await outbox.database.root.rows('SELECT seq FROM relay_parked')).toEqual([])
}, 600_000)

/** Those that were begun anew, however often. */
function failedTransactions(relay: RunningService): number {
  return relay.logLines.filter(({ msg }) => msg === 'transaction failed, begun anew').length
}

/** How many copies are not in sync, of the three that each partition of these topics should have. */
async function replicasMissing(cluster: OwnKafka, topics: string[]): Promise<number> {
  const found = await withAdmin(cluster, admin => admin.fetchTopicMetadata({ topics }))
  const partitions = found.topics.flatMap(topic => topic.partitions)
  return partitions.reduce((sum, { isr }) => sum + 3 - isr.length, 0)
}

/** Of the partition in which Kafka keeps this group or transactional id (by the hash of Java's strings); of the first one without a key. */
async function leaderOf(cluster: OwnKafka, topic: string, key: string | null): Promise<number> {
  const found = await withAdmin(cluster, admin => admin.fetchTopicMetadata({ topics: [topic] }))
  const { partitions } = found.topics[0]!
  const hash = Buffer.from(key ?? '').reduce((sum, char) => (Math.imul(sum, 31) + char) | 0, 0)
  return partitions.find(({ partitionId }) => partitionId === Math.abs(hash) % partitions.length)!.leader
}
