import { expect, test } from 'vitest'
import { readComposeFile } from '../compose-file/compose-file.ts'
import { composeFilePath } from '../repository.ts'
import { planTrips } from './trip-plan.ts'

const { services } = await readComposeFile(composeFilePath, { BATCH_TIMEOUT_MS: '7000' }, [
  { name: 'batch-consumer-2', of: 'batch-consumer', probePort: 1 },
  { name: 'simple-consumer-2', of: 'simple-consumer', probePort: 2 },
])
const planOf = (...names: string[]) => planTrips(services.filter(({ name }) => names.includes(name)))

test('publish and subscribe: members of a group take records for each other, others each for themselves', () => {
  const plan = planOf(
    'user-api',
    'simple-consumer',
    'simple-consumer-2',
    'batch-consumer',
    'batch-consumer-2',
  )
  expect(plan.topics).toEqual(['user', 'family', 'coworker'])
  expect(plan.consumersOf('user')).toEqual(['simple-consumer', 'simple-consumer-2', 'batch-consumer'])
  expect(plan.consumerOf('batch-consumer-2')).toBe('batch-consumer')
  expect(plan.consumerOf('simple-consumer-2')).toBe('simple-consumer-2')
  expect(plan.patienceMs).toBe(17_000)
})

const cdc = ['cdc-registry', 'cdc-sink']
const outbox = ['outbox-registry', 'outbox-sink']

test.each([
  [
    'cdc-poller follows the table, whoever wrote',
    [...cdc, ...outbox, 'cdc-poller', 'outbox-relay'],
    true,
    true,
  ],
  ['the outbox alone', [...outbox, 'outbox-relay'], false, true],
  ['Debezium', [...cdc, ...outbox, 'connect'], true, true],
  ['nobody reads the row any more', [...cdc, ...outbox], false, false],
])('where a change goes: %s', (_what, running, isCaptured, isPublished) => {
  const plan = planOf(...running)
  const captured = isCaptured ? ['cdc.users'] : []
  expect(plan.topicsAfter('cdc-registry')).toEqual(captured)
  expect(plan.topicsAfter('outbox-registry')).toEqual([
    ...(isPublished ? ['outbox.event.user'] : []),
    ...captured,
  ])
})
