/** The three orders of two steps, each killed between its steps: what that loses, and what it repeats. */
import { randomUUID } from 'node:crypto'
import { eventually, produce, startFaultProxy, testKafka } from '@kafka-pattern/test-kit'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  appliedBatches,
  committedOffsets,
  newestOf,
  recordOf,
  repeatedOffsets,
  setStage,
  stateOf,
  untilUpsertWaits,
} from './test-users.ts'
import type { Stage } from './test-users.ts'

const first = Array.from({ length: 10 }, () => stateOf(randomUUID(), 1))
const later = stateOf(randomUUID(), 1)

/** Nobody can write to the replica until the returned function is called. */
async function lockReplica(stage: Stage): Promise<() => Promise<void>> {
  const unlock = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const lock = stage.database.root.withConnection(async connection => {
    await connection.write('LOCK TABLES users_replica WRITE')
    locked.resolve()
    await unlock.promise
    await connection.write('UNLOCK TABLES')
  })
  lock.catch(locked.reject)
  await locked.promise
  onTestFinished(() => unlock.resolve())
  return async () => {
    unlock.resolve()
    await lock
  }
}

/** Killed while the first ten records are being written: their rows are not there yet. */
async function killedBeforeTheRows(stage: Stage, env: Record<string, string>) {
  const sink = await stage.start(env)
  const unlock = await lockReplica(stage)
  await produce(first.map(state => recordOf(stage.topic, state)))
  await untilUpsertWaits(stage)
  const told = await committedOffsets(stage)
  await sink.kill()
  await unlock()
  return { killed: sink, told }
}

/** Killed when the rows of the first ten records are there, and the group has not heard of them. */
async function killedAfterTheRows(stage: Stage, env: Record<string, string>) {
  const [target = ''] = testKafka().brokers
  const proxy = await startFaultProxy({ target })
  const sink = await stage.start({ ...env, KAFKA_BROKERS: proxy.address })
  const unlock = await lockReplica(stage)
  await produce(first.map(state => recordOf(stage.topic, state)))
  await untilUpsertWaits(stage)
  proxy.swallow()
  await unlock()
  await eventually(async () => expect(await stage.replica()).toEqual(newestOf(first)), { what: 'the rows' })
  const told = await committedOffsets(stage)
  await sink.kill()
  return { killed: sink, told }
}

/** The next life; it is through when a record that came later is applied. */
async function nextLife(stage: Stage, env: Record<string, string>) {
  const sink = await stage.start(env)
  await produce([recordOf(stage.topic, later)])
  await sink.waitForLog(line => line.msg === 'batch applied' && line.nextOffset === '11')
  return sink
}

// A static member, so that the next life need not wait for the session of the killed one to end.
const settingsOf = (DELIVERY: string) => ({ DELIVERY, KAFKA_GROUP_INSTANCE_ID: 'sink-1' })

describe('at-most-once', () => {
  const env = settingsOf('at-most-once')

  test('killed between position and rows: the batch is lost', async () => {
    const stage = await setStage()
    const { told } = await killedBeforeTheRows(stage, env)
    expect(told).toEqual({ 0: '10' })
    const next = await nextLife(stage, env)
    expect(await stage.replica()).toEqual([later])
    expect(appliedBatches(next).map(({ firstOffset }) => firstOffset)).toEqual(['10'])
  })
})

describe('at-least-once', () => {
  const env = settingsOf('at-least-once')

  test('killed between rows and position: the batch is applied again', async () => {
    const stage = await setStage()
    const { told } = await killedAfterTheRows(stage, env)
    expect(told).toEqual({ 0: '-1' })
    const next = await nextLife(stage, env)
    const repeated = appliedBatches(next)
    expect(repeated[0]?.firstOffset).toBe('0')
    expect(repeated.reduce((stale, batch) => stale + batch.stale, 0)).toBe(10)
    expect(await stage.replica()).toEqual(newestOf([...first, later]))
  })

  test('killed before the rows: nothing is lost', async () => {
    const stage = await setStage()
    const { told } = await killedBeforeTheRows(stage, env)
    expect(told).toEqual({ 0: '-1' })
    await nextLife(stage, env)
    expect(await stage.replica()).toEqual(newestOf([...first, later]))
  })
})

describe('effectively-once', () => {
  const env = settingsOf('effectively-once')

  test('killed before the rows: nothing is lost', async () => {
    const stage = await setStage()
    await killedBeforeTheRows(stage, env)
    expect(await stage.offsets()).toEqual({ 0: '0' })
    await nextLife(stage, env)
    expect(await stage.replica()).toEqual(newestOf([...first, later]))
  })

  test('killed when the rows are there and the group knows of nothing: nothing is repeated', async () => {
    const stage = await setStage()
    const { killed, told } = await killedAfterTheRows(stage, env)
    expect(told).toEqual({ 0: '0' })
    expect(await stage.offsets()).toEqual({ 0: '10' })
    const next = await nextLife(stage, env)
    expect(appliedBatches(next).map(({ firstOffset }) => firstOffset)).toEqual(['10'])
    expect(repeatedOffsets([killed, next])).toEqual([])
    expect(await stage.replica()).toEqual(newestOf([...first, later]))
    // Lag tools are told afterwards.
    await eventually(async () => expect(await committedOffsets(stage)).toEqual({ 0: '11' }), {
      what: 'the copy of the offset',
    })
  })
})
