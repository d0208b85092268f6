import { describeCluster } from '@kafka-pattern/local-stack'
import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { Ledger } from './ledger.ts'
import { startOwnKafka } from './own-kafka.ts'
import { produce, readTopic } from './records.ts'
import { createTopic, withAdmin } from './topics.ts'

test(
  'three brokers lose no acknowledged record when one is killed, and take it back',
  { timeout: 300_000 },
  async () => {
    const own = await startOwnKafka({ brokers: 3 })
    const topic = await createTopic({ replicationFactor: 3, on: own })
    const ledger = new Ledger()
    const send = async (sequence: number) => {
      await produce([{ topic, key: 'k', value: String(sequence) }], own)
      ledger.sent('k', sequence)
    }
    await send(1)

    const [partition] = (await withAdmin(own, admin => admin.fetchTopicMetadata({ topics: [topic] })))
      .topics[0]!.partitions
    const leader = own.nodes.find(node => node.id === partition!.leader)!
    await leader.kill()
    expect(await leader.isRunning()).toBe(false)
    await eventually(() => send(2), { what: 'a new leader' })

    await leader.start()
    await send(3)
    for (const record of await readTopic(topic, { on: own })) {
      ledger.seen('k', Number(record.value), `${record.partition}/${record.offset}`)
    }
    expect(ledger.report()).toMatchObject({ total: { sent: 3, lost: 0, reordered: 0 } })
  },
)

test(
  'a frozen broker answers nothing, a thawed one does; its data survives a kill',
  { timeout: 300_000 },
  async () => {
    const own = await startOwnKafka()
    const topic = await createTopic({ on: own })
    await produce([{ topic, key: 'k', value: 'v' }], own)
    const [node] = own.nodes
    const broker = { host: '127.0.0.1', port: node!.port }
    await node!.freeze()
    expect(await describeCluster(broker, 300)).toBeNull()
    await node!.thaw()
    // After a long freeze its controller holds it for dead until its next heartbeat.
    await eventually(async () => expect(await describeCluster(broker)).toMatchObject({ brokerIds: [1] }), {
      what: 'an answer',
    })
    await node!.kill()
    await node!.start()
    expect(await readTopic(topic, { on: own })).toHaveLength(1)
  },
)
