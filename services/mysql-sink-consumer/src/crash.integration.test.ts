import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import {
  appliedBatches,
  endOffsets,
  histories,
  newestOf,
  produceStates,
  repeatedOffsets,
  setStage,
  untilApplied,
} from './test-users.ts'
import type { RunningService } from '@kafka-pattern/test-kit'

const kills = 10

test('killed at random moments, again and again: every batch is applied once, and the replica is what it must be', async () => {
  const stage = await setStage({ partitions: 3 })
  const states = histories(300, 40)
  const portion = states.length / kills
  // A static member gets its partitions back at once.
  const env = { KAFKA_GROUP_INSTANCE_ID: 'sink-1' }
  const lives: RunningService[] = []
  let killedAtWork = 0
  for (let kill = 1; kill <= kills; kill++) {
    await produceStates(stage.topic, states.slice((kill - 1) * portion, kill * portion))
    // Small batches make many moments to be killed in, and a portion that is not soon applied.
    const life = await stage.start({ ...env, BATCH_SIZE: '5' }, { waitReady: false })
    lives.push(life)
    // Every third one dies while it starts, joins or looks for its position.
    if (kill % 3 !== 0) await life.waitForLog(line => line.msg === 'batch applied')
    await sleep(Math.random() * (kill % 3 === 0 ? 800 : 60))
    await life.kill()
    if (kill % 3 !== 0 && !isDeepStrictEqual(await stage.offsets(), await endOffsets(stage))) killedAtWork++
  }
  // Of those that had begun: one may be through before the signal reaches it, where this process has to wait for its turn.
  expect(killedAtWork).toBeGreaterThan(0)

  const last = await stage.start(env)
  lives.push(last)
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(newestOf(states))
  await last.stop()
  expect(repeatedOffsets(lives)).toEqual([])
}, 360_000)

test('the whole topic replayed from its beginning changes nothing', async () => {
  const stage = await setStage({ partitions: 3 })
  const states = histories(200, 10)
  await produceStates(stage.topic, states)
  const first = await stage.start()
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(newestOf(states))
  await first.stop()

  await stage.database.root.write('DELETE FROM consumer_offsets')
  const replaying = await stage.start()
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(newestOf(states))
  // Its log is whole when it has ended.
  await replaying.stop()
  const replayed = appliedBatches(replaying)
  expect(replayed.reduce((records, batch) => records + batch.records, 0)).toBe(states.length)
  expect(replayed.every(({ upserted, deleted }) => upserted + deleted === 0)).toBe(true)
})

test('where the database says that it was, it goes on, whatever the group says', async () => {
  const stage = await setStage()
  const states = histories(10, 1)
  await produceStates(stage.topic, states)
  const first = await stage.start()
  await untilApplied(stage)
  await first.stop()
  await stage.database.root.write('DELETE FROM users_replica')
  await stage.database.root.write('UPDATE consumer_offsets SET next_offset = 4')

  const second = await stage.start()
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(newestOf(states.slice(4)))
  const applied = await second.waitForLog(line => line.msg === 'batch applied')
  expect(applied.firstOffset).toBe('4')
})
