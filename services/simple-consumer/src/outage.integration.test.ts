import {
  addPartitions,
  createTopic,
  eventually,
  produce,
  startOwnKafka,
  startService,
} from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'

test('an outage is waited out: it goes on behind the last record printed, and reads a new partition from its start', async () => {
  const kafka = await startOwnKafka()
  const topic = await createTopic({ on: kafka, partitions: 2 })
  const consumer = await startService('simple-consumer', {
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_TOPICS: topic,
  })
  const printed = () => consumer.stdoutLines.flatMap(line => /^\[consume\] .* (\S+)$/.exec(line)?.[1] ?? [])
  const records = (prefix: string) =>
    Array.from({ length: 20 }, (_, i) => ({ topic, key: `k${i}`, value: `${prefix}${i}` }))

  await produce(records('before'), kafka)
  await eventually(() => expect(printed()).toHaveLength(20), { what: 'the records before the outage' })
  const after = consumer.logLines.length
  await kafka.nodes[0]?.kill()
  await eventually(async () => expect((await fetch(`${consumer.probeUrl}/readyz`)).status).toBe(503), {
    what: 'readiness to be withdrawn',
  })
  // Until then it may go on as the member that it was, and only one that joins sees a new partition at once.
  await consumer.waitForLog(({ msg }) => msg === 'not in the consumer group; joining again', { after })

  // It must not be back when the partition is made.
  consumer.freeze()
  await kafka.nodes[0]?.start()
  await addPartitions(topic, 3, kafka)
  await produce([...records('after'), { topic, key: 'new', value: 'in-new-partition', partition: 2 }], kafka)
  consumer.thaw()
  await eventually(() => expect(printed().length).toBeGreaterThanOrEqual(41), {
    what: 'the records after the outage',
  })
  const expected = [...records('before'), ...records('after')].map(({ value }) => value)
  expect(printed().toSorted()).toEqual([...expected, 'in-new-partition'].toSorted())
  await eventually(async () => expect((await fetch(`${consumer.probeUrl}/readyz`)).status).toBe(200), {
    what: 'readiness to come back',
  })
}, 300_000)

test('down at start: it waits, says for what, and joins when the broker is there', async () => {
  const kafka = await startOwnKafka()
  const topic = await createTopic({ on: kafka })
  await kafka.nodes[0]?.kill()
  const env = { KAFKA_BROKERS: kafka.brokers.join(','), KAFKA_TOPICS: topic }
  const consumer = await startService('simple-consumer', env, { waitReady: false })
  await consumer.waitForLog(({ msg }) => msg === 'waiting for a Kafka broker to answer')
  expect((await fetch(`${consumer.probeUrl}/readyz`)).status).toBe(503)
  await kafka.nodes[0]?.start()
  await consumer.waitForLog(({ msg }) => msg === 'ready')
  await produce([{ topic, key: 'k', value: 'v' }], kafka)
  await eventually(() => expect(consumer.stdoutLines).toContain(`[consume] ${topic} 0 0 k v`), {
    what: 'its line',
  })
}, 300_000)
