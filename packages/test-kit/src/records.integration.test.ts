import { expect, test } from 'vitest'
import { startFaultProxy } from './fault-proxy.ts'
import { produce, readTopic } from './records.ts'
import { connectTo, testKafka } from './test-kafka.ts'
import { createTopic } from './topics.ts'

test('what is produced is read back with its key, value, headers, partition and timestamp', async () => {
  const topic = await createTopic({ partitions: 2, configs: { 'retention.ms': '-1' } })
  await produce([
    { topic, key: 'a', value: 'one', partition: 1, headers: { kind: 'x' }, timestamp: 1_700_000_000_000 },
    { topic, key: null, value: Buffer.from([0xff, 0x00]), partition: 0 },
    { topic, key: 'a', value: null, partition: 1 },
  ])
  const records = await readTopic(topic)
  expect(records.filter(r => r.partition === 0)).toMatchObject([
    { key: null, value: Buffer.from([0xff, 0x00]) },
  ])
  expect(records.filter(r => r.partition === 1)).toMatchObject([
    { offset: '0', key: Buffer.from('a'), value: Buffer.from('one'), timestamp: '1700000000000' },
    { offset: '1', key: Buffer.from('a'), value: null },
  ])
  expect(String(records.find(r => r.value?.toString() === 'one')?.headers.kind)).toBe('x')
})

test('when the answer to a request is lost, its records are there once all the same', async () => {
  const topic = await createTopic()
  const proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
  const cut = proxy.cutAt('seen by the proxy', 'after')
  await produce([{ topic, key: 'k', value: 'seen by the proxy' }], connectTo([proxy.address]))
  await cut
  expect(await readTopic(topic)).toHaveLength(1)
})

test('an empty topic is read at once', async () => {
  expect(await readTopic(await createTopic())).toEqual([])
})

test('a read that waits for more than comes says what it read', async () => {
  const topic = await createTopic()
  await produce([{ topic, key: 'k', value: 'only one' }])
  // Long enough to join a group on a busy machine.
  await expect(readTopic(topic, { count: 2, timeoutMs: 30_000 })).rejects.toThrow(
    /Read 1 records .*only one/s,
  )
})
