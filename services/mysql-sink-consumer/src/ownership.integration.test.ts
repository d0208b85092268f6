import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, produce } from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import {
  appliedBatches,
  histories,
  newestOf,
  recordOf,
  repeatedOffsets,
  setStage,
  shortSession,
  stateOf,
  untilApplied,
  untilUpsertWaits,
} from './test-users.ts'
import type { UserState } from '@kafka-pattern/events'

test('frozen in the middle of a transaction, another takes over, thawed: it applies nothing', async () => {
  const stage = await setStage()
  const { root } = stage.database
  const ids = Array.from({ length: 5 }, () => randomUUID())
  const versions = (version: number) => ids.map(id => stateOf(id, version))
  const frozen = await stage.start(shortSession)
  await produce(versions(1).map(state => recordOf(stage.topic, state)))
  await untilApplied(stage)

  // Its transaction has moved the offset and waits for a row when it freezes; then it gets the row, and never commits.
  await root.inTransaction(async transaction => {
    await transaction.rows('SELECT id FROM users_replica WHERE id = ? FOR UPDATE', [ids[0]])
    await produce(versions(2).map(state => recordOf(stage.topic, state)))
    await untilUpsertWaits(stage)
    frozen.freeze()
  })

  const successor = await stage.start(shortSession)
  await produce(versions(3).map(state => recordOf(stage.topic, state)))
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(newestOf(versions(3)))
  // The log line comes after the commit that it tells of.
  await eventually(() => expect(appliedBatches(successor)[0]?.firstOffset).toBe('5'), {
    what: 'the successor to say what it applied first',
  })

  const before = appliedBatches(frozen).length
  frozen.thaw()
  await frozen.waitForLog(
    line =>
      line.msg === 'offset is not where it was left, reading on from there' ||
      line.msg === 'not applied, the partition waits',
  )
  // It comes back as a member like any other, and whoever owns the partition then goes on.
  await eventually(
    () => expect(frozen.logLines.filter(line => line.msg === 'joined the group').length).toBeGreaterThan(1),
    { what: 'the thawed one to join again' },
  )
  expect(appliedBatches(frozen)).toHaveLength(before)
  await produce(versions(4).map(state => recordOf(stage.topic, state)))
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(newestOf(versions(4)))
  await Promise.all([frozen.stop(), successor.stop()])
  expect(repeatedOffsets([frozen, successor])).toEqual([])
}, 300_000)

test('sinks that come and go under load: every batch is applied once, and the replica is what it must be', async () => {
  const stage = await setStage({ partitions: 4 })
  const sent: UserState[] = []
  const producing = new AbortController()
  onTestFinished(() => producing.abort())
  const load = (async () => {
    const ids = Array.from({ length: 200 }, () => randomUUID())
    for (let version = 1; !producing.signal.aborted; version++) {
      const states = ids.map(id => stateOf(id, version))
      await produce(states.map(state => recordOf(stage.topic, state)))
      sent.push(...states)
      await sleep(20)
    }
  })()
  const env = { BATCH_SIZE: '50' }
  const first = await stage.start(env)
  const second = await stage.start(env)
  const third = await stage.start(env)
  for (const sink of [second, third]) {
    await eventually(() => expect(appliedBatches(sink).length).toBeGreaterThan(3), {
      what: 'all three to work',
    })
  }
  expect(await first.stop()).toBe(0)
  expect(await second.stop()).toBe(0)
  const applied = appliedBatches(third).length
  await eventually(() => expect(appliedBatches(third).length).toBeGreaterThan(applied + 12), {
    what: 'the third to go on alone',
  })
  producing.abort()
  await load
  // All that was sent meanwhile, by one, 50 a commit.
  await untilApplied(stage, 180_000)
  expect(await stage.replica()).toEqual(newestOf(sent))
  await third.stop()
  expect(repeatedOffsets([first, second, third])).toEqual([])
}, 300_000)

test('an offset that an operator moves back is followed: what comes again changes nothing', async () => {
  const stage = await setStage()
  const states = histories(20, 3)
  const sink = await stage.start()
  await produce(states.map(state => recordOf(stage.topic, state)))
  await untilApplied(stage)
  await stage.database.root.write('UPDATE consumer_offsets SET next_offset = 0')
  const more = stateOf(randomUUID(), 1)
  await produce([recordOf(stage.topic, more)])
  await sink.waitForLog(line => line.msg === 'offset is not where it was left, reading on from there')
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(newestOf([...states, more]))
})
