import {
  connectTo,
  createTopic,
  eventually,
  startFaultProxy,
  testKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import { pino } from 'pino'
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

/** A log whose warnings are kept: why each group was not deleted. */
function keepReasons() {
  const reasons: string[] = []
  const write = (line: string) => void reasons.push(JSON.parse(line).err.message)
  return { logger: pino({ level: 'warn' }, { write }), reasons }
}

test('a group that was left is gone', async () => {
  const { kafka, logger } = testKafka()
  const groupId = await groupWithoutMembers()
  expect(await groups()).toContain(groupId)
  await eventually(
    async () => {
      await deleteGroup(kafka, groupId, logger)
      expect(await groups()).not.toContain(groupId)
    },
    { what: 'the group to be empty, and gone' },
  )
})

test('a broker that refuses is tried once, one that does not answer waited for no longer than 5 s; neither throws', async () => {
  const [target = ''] = testKafka().brokers
  const proxy = await startFaultProxy({ target })
  const { kafka } = connectTo([proxy.address])
  const { logger, reasons } = keepReasons()
  await proxy.refuse()
  await deleteGroup(kafka, 'any', logger)
  await proxy.restore()
  proxy.swallow()
  await deleteGroup(kafka, 'any', logger)
  // More attempts than one would take longer than the limit.
  expect(reasons).toEqual([expect.stringContaining('ECONNREFUSED'), 'no answer within 5000 ms'])
})
