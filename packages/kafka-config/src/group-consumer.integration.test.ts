import { createTopic, eventually, produce, testKafka, uniqueName, withAdmin } from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import { createGroupConsumer } from './group-consumer.ts'
import type {
  FetchedRecords,
  GroupConsumer,
  GroupConsumerHandlers,
  GroupConsumerOptions,
} from './group-consumer.ts'

/** A consumer that keeps what it was given, and is stopped at the end of the test. */
function collect(options: Partial<GroupConsumerOptions> & { topics: string[] }) {
  const { kafka, logger } = testKafka()
  const consumer: GroupConsumer = createGroupConsumer(kafka, {
    groupId: uniqueName('group'),
    from: 'earliest',
    logger,
    ...options,
  })
  const fetched: FetchedRecords[] = []
  const values = () => fetched.flatMap(({ records }) => records.map(({ value }) => String(value)))
  const start = (handlers: Partial<GroupConsumerHandlers> = {}) =>
    consumer.start({ onRecords: some => void fetched.push(some), ...handlers })
  onTestFinished(() => consumer.stop())
  return { consumer, fetched, values, start }
}

async function produceValues(topic: string, values: string[], partition = 0): Promise<void> {
  await produce(values.map(value => ({ topic, partition, key: value, value })))
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
}

async function committedOffset(groupId: string, topic: string, partition = 0): Promise<string | undefined> {
  return withAdmin(testKafka(), async admin => {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return found?.partitions.find(each => each.partition === partition)?.offset
  })
}

test('goes on behind the committed offset after a restart', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  await produceValues(topic, numbered('a', 10))

  const first = collect({ groupId, topics: [topic] })
  await first.start()
  await eventually(() => expect(first.values()).toHaveLength(10), { what: 'ten records' })
  const { assignment } = first.fetched[0]!
  expect(await first.consumer.commit(topic, 0, '4', assignment)).toBe('committed')
  await first.consumer.stop()
  expect(await committedOffset(groupId, topic)).toBe('4')

  const second = collect({ groupId, topics: [topic] })
  await second.start()
  await eventually(() => expect(second.values()).toEqual(numbered('a', 10).slice(4)), {
    what: 'the other six',
  })
})
