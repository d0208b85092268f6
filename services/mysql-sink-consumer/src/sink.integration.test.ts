import { randomUUID } from 'node:crypto'
import { eventually, produce } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { appliedBatches, deletedState, newestOf, recordOf, setStage, stateOf } from './test-users.ts'

test('states become rows, to the microsecond; each batch says what became of it', async () => {
  const stage = await setStage()
  const [ada, bob, eve] = [randomUUID(), randomUUID(), randomUUID()]
  const states = [
    stateOf(ada, 1, { name: `Ada "O'Hara" \\ ; DROP TABLE users_replica; -- 🦊 ?`, level: 100 }),
    stateOf(bob, 1),
    stateOf(bob, 2),
    deletedState(eve, 3),
  ]
  await produce(states.map(state => recordOf(stage.topic, state)))
  const sink = await stage.start()
  await eventually(async () => expect(await stage.replica()).toEqual(newestOf(states)), {
    what: 'the replica',
  })
  expect(await stage.offsets()).toEqual({ 0: '4' })
  await eventually(
    () =>
      expect(appliedBatches(sink)).toMatchObject([
        {
          partition: 0,
          records: 4,
          firstOffset: '0',
          nextOffset: '4',
          upserted: 2,
          deleted: 1,
          stale: 0,
          superseded: 1,
        },
      ]),
    { what: 'the log line' },
  )
})
