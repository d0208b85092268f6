import {
  connectTo,
  createTopic,
  startFaultProxy,
  testKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { deleteGroup } from './delete-group.ts'
import { createGroupConsumer } from './group-consumer.ts'

async function groupWithoutMembers(): Promise<string> {
  const { kafka, logger } = testKafka()
  const groupId = uniqueName('group')
  const consumer = createGroupConsumer(kafka, {
    groupId,
    topics: [await createTopic()],
    from: 'latest',
    logger,
  })
  await consumer.start({ onRecords: () => {} })
  await consumer.stop()
  return groupId
}

async function groups(): Promise<string[]> {
  const { groups: found } = await withAdmin(testKafka(), admin => admin.listGroups())
  return found.map(({ groupId }) => groupId)
}

async function elapsedMs(work: Promise<void>): Promise<number> {
  const begunAt = performance.now()
  await work
  return performance.now() - begunAt
}

test('a group that was left is gone', async () => {
  const { kafka, logger } = testKafka()
  const groupId = await groupWithoutMembers()
  expect(await groups()).toContain(groupId)
  await deleteGroup(kafka, groupId, logger)
  expect(await groups()).not.toContain(groupId)
})

test('a broker that refuses is tried once, one that does not answer waited for no longer than 5 s; neither throws', async () => {
  const [target = ''] = testKafka().brokers
  const proxy = await startFaultProxy({ target })
  const { kafka, logger } = connectTo([proxy.address])
  await proxy.refuse()
  expect(await elapsedMs(deleteGroup(kafka, 'any', logger))).toBeLessThan(1_000)
  await proxy.restore()
  proxy.swallow()
  expect(await elapsedMs(deleteGroup(kafka, 'any', logger))).toBeLessThan(6_000)
})
