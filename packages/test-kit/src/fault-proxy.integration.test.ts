import { describeCluster } from '@kafka-pattern/local-stack'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { eventually } from './eventually.ts'
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts'
import { produce, readTopic } from './records.ts'
import { connectTo, testKafka, type TestKafka } from './test-kafka.ts'
import { createTopic, withAdmin } from './topics.ts'

const patienceMs = 60_000

describe('behind the fault proxy', () => {
  let proxy: FaultProxy
  let through: TestKafka
  beforeEach(async () => {
    proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
    through = connectTo([proxy.address])
    return () => proxy.stop()
  })

  test('the broker advertises the proxy, to admin clients, producers and groups', async () => {
    const topic = await createTopic()
    const cluster = await withAdmin(through, admin => admin.describeCluster())
    expect(cluster.brokers.map(broker => `${broker.host}:${broker.port}`)).toEqual([proxy.address])
    await produce([{ topic, key: 'k', value: 'v' }], through)
    expect(await readTopic(topic, { on: through })).toHaveLength(1)
  })

  test('large records pass unchanged', async () => {
    const topic = await createTopic()
    const value = Buffer.alloc(900_000, 'abc')
    await produce([{ topic, key: 'k', value }], through)
    const [record] = await readTopic(topic, { on: through })
    expect(record?.value?.equals(value)).toBe(true)
  })

  test('a delay slows every answer', async () => {
    proxy.delay(200)
    const admin = through.kafka.admin()
    await admin.connect()
    const startedAt = performance.now()
    await admin.describeCluster()
    // Twice 200 ms, but for the millisecond that a timer may be early.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(398)
    await admin.disconnect()
  })

  test('a cut resets what is open and lets clients come back', async () => {
    const admin = through.kafka.admin()
    await admin.connect()
    await admin.describeCluster()
    expect(proxy.connections).toBeGreaterThan(0)
    proxy.cut()
    await eventually(() => expect(proxy.connections).toBe(0), { what: 'the connections to end' })
    expect((await admin.describeCluster()).brokers).toHaveLength(1)
    await admin.disconnect()
  })

  test('refusing keeps clients out until it is restored', async () => {
    await proxy.refuse()
    await expect(openConnection(proxy.address)).rejects.toThrow(/ECONNREFUSED/)
    await proxy.restore()
    expect((await withAdmin(through, admin => admin.describeCluster())).brokers).toHaveLength(1)
  })

  test('swallowing leaves connections open and unanswered until it is restored', async () => {
    proxy.swallow()
    const unanswered = describeCluster(addressOf(proxy), patienceMs)
    expect(await Promise.race([unanswered, sleep(200, 'nothing yet')])).toBe('nothing yet')
    await eventually(() => expect(proxy.connections).toBe(1), { what: 'the connection' })
    await proxy.restore()
    expect(await unanswered).toBeNull()
    expect(await describeCluster(addressOf(proxy), patienceMs)).toMatchObject({ brokerIds: [1] })
  })
})

test('a target that the broker does not advertise is refused instead of being bypassed', async () => {
  const port = Number(testKafka().brokers[0]!.split(':')[1])
  const said = vi.spyOn(console, 'error').mockReturnValue()
  // Another spelling of the same address: reachable, but not what the broker advertises.
  const proxy = await startFaultProxy({ target: `127.1:${port}` })
  expect(await describeCluster(addressOf(proxy), patienceMs)).toBeNull()
  expect(String(said.mock.lastCall?.[1])).toContain('use that as target')
})

function addressOf(proxy: FaultProxy): { host: string; port: number } {
  return { host: '127.0.0.1', port: Number(proxy.address.split(':')[1]) }
}

async function openConnection(address: string): Promise<void> {
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
  await once(socket, 'connect')
  socket.destroy()
}
