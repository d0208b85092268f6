import { createTopic, produce, testKafka, uniqueName, withAdmin } from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import { readConsumerGroups, readPartitionEnds } from './consumer-groups.ts'
import { createKafka } from './kafka.ts'

const { kafka, settings, logger } = testKafka()

test('where topics begin and end, and what a group has committed that nobody is in', async () => {
  const topic = await createTopic({ partitions: 2 })
  await produce([0, 0, 1].map(partition => ({ topic, key: null, value: '{}', partition })))
  await withAdmin(testKafka(), async admin => {
    // Without a look at the topic before, kafkajs knows no broker to tell.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1' }] })
  })
  expect(await readPartitionEnds(kafka, [uniqueName('no-such-topic'), topic])).toEqual([
    { topic, partition: 0, start: '1', end: '2' },
    { topic, partition: 1, start: '0', end: '1' },
  ])

  const groupId = uniqueName('group')
  onTestFinished(() => withAdmin(testKafka(), async admin => void (await admin.deleteGroups([groupId]))))
  await withAdmin(testKafka(), admin =>
    admin.setOffsets({ groupId, topic, partitions: [{ partition: 1, offset: '1' }] }),
  )
  const groups = await readConsumerGroups(kafka)
  expect(groups.find(group => group.groupId === groupId)).toEqual({
    groupId,
    members: [],
    committed: [{ topic, partition: 1, offset: '1', metadata: '' }],
  })
})

test('a broker of the list that is away is no reason to fail', async () => {
  const topic = await createTopic()
  // Nothing listens there. Which of the two is asked first is left to chance, so more than once.
  const twoBrokers = createKafka(
    { ...settings, KAFKA_BROKERS: ['127.0.0.1:1', ...settings.KAFKA_BROKERS] },
    logger,
  )
  for (let i = 0; i < 10; i++) {
    expect(await readPartitionEnds(twoBrokers, [topic])).toHaveLength(1)
  }
})
