import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  createDatabase,
  eventually,
  produce,
  startFaultProxy,
  startOwnMysql,
  startTcpProxy,
  testKafka,
} from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import {
  appliedBatches,
  deadLettered,
  histories,
  newestOf,
  produceStates,
  recordOf,
  repeatedOffsets,
  setStage,
  shortSession,
  stateOf,
  untilApplied,
  untilUpsertWaits,
} from './test-users.ts'
import type { Stage } from './test-users.ts'
import type { RunningService } from '@kafka-pattern/test-kit'

const readiness = async (sink: RunningService) => (await fetch(`${sink.probeUrl}/readyz`)).status

const joins = (sink: RunningService) => sink.logLines.filter(line => line.msg === 'joined the group').length

/** Sends the next version of some users. */
function sender(stage: Stage) {
  const ids = Array.from({ length: 20 }, () => randomUUID())
  let version = 0
  return {
    async send() {
      version++
      await produce(ids.map(id => recordOf(stage.topic, stateOf(id, version))))
    },
    newest: () => newestOf(ids.map(id => stateOf(id, version))),
  }
}

test('the database goes away for longer than the session and comes back: it waits as a member and goes on', async () => {
  const server = await startOwnMysql()
  const stage = await setStage({ database: await createDatabase({ on: server }) })
  const users = sender(stage)
  const sink = await stage.start({ KAFKA_SESSION_TIMEOUT_MS: '15000' })
  await users.send()
  await untilApplied(stage)

  const after = sink.logLines.length
  await server.process.kill()
  await users.send()
  await sink.waitForLog(line => line.msg === 'not applied, the partition waits', { after })
  await eventually(async () => expect(await readiness(sink)).toBe(503), { what: '/readyz to be 503' })
  // Without heartbeats the session would be over.
  await sleep(17_000)
  await users.send()
  await eventually(
    async () => {
      const metrics = await (await fetch(`${sink.probeUrl}/metrics`)).text()
      expect(metrics).toMatch(/kafka_consumer_lag_records\{[^}]*\} 40\b/)
    },
    { what: 'the lag to grow' },
  )
  await server.process.start()
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(users.newest())
  await eventually(async () => expect(await readiness(sink)).toBe(200), { what: '/readyz to be 200' })
  await sink.stop()
  expect(joins(sink)).toBe(1)
  expect(deadLettered([sink])).toEqual([])
  expect(repeatedOffsets([sink])).toEqual([])
}, 360_000)

test('a database that is read-only for a while is waited for, nothing is dead-lettered', async () => {
  const server = await startOwnMysql()
  const stage = await setStage({ database: await createDatabase({ on: server }) })
  const { root } = stage.database
  const users = sender(stage)
  const sink = await stage.start()
  await users.send()
  await untilApplied(stage)

  await root.write('SET GLOBAL read_only = 1')
  await users.send()
  await sink.waitForLog(
    line => line.msg === 'not applied, the partition waits' && /read-only/.test(String(line.reason)),
    { what: 'waiting because of read-only' },
  )
  await eventually(async () => expect(await readiness(sink)).toBe(503), { what: '/readyz to be 503' })
  await root.write('SET GLOBAL read_only = 0')
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(users.newest())
  await sink.stop()
  expect(deadLettered([sink])).toEqual([])
})

test('connections cut again and again, also when the answer to a COMMIT is on its way: every batch is applied once', async () => {
  const stage = await setStage({ partitions: 3 })
  const { host, port } = stage.database.server
  const proxy = await startTcpProxy({ target: `${host}:${port}` })
  const sink = await stage.start({
    MYSQL_HOST: '127.0.0.1',
    MYSQL_PORT: String(proxy.port),
    BATCH_SIZE: '20',
  })
  const states = histories(300, 20)
  const cuts = (async () => {
    for (let cut = 1; cut <= 5; cut++) {
      await proxy.cutAt('COMMIT', cut % 2 === 0 ? 'before' : 'after')
      await sleep(Math.random() * 100)
      proxy.cut()
    }
  })()
  await produceStates(stage.topic, states)
  await cuts
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(newestOf(states))
  await sink.stop()
  expect(deadLettered([sink])).toEqual([])
  expect(repeatedOffsets([sink])).toEqual([])
})

test('a database that falls silent, as in a failover that resets no connection: the batch is applied by a new one', async () => {
  const stage = await setStage()
  const { host, port } = stage.database.server
  const proxy = await startTcpProxy({ target: `${host}:${port}` })
  const users = sender(stage)
  const sink = await stage.start({ MYSQL_HOST: '127.0.0.1', MYSQL_PORT: String(proxy.port) })
  await users.send()
  await untilApplied(stage)
  const after = sink.logLines.length
  proxy.forget()
  await users.send()
  // Less than the minute that any other statement may take.
  const { reason } = await sink.waitForLog(line => line.msg === 'not applied, the partition waits', {
    timeoutMs: 40_000,
    after,
  })
  expect(String(reason)).toMatch(/timeout/)
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(users.newest())
  await sink.stop()
  expect(deadLettered([sink])).toEqual([])
})

test('idle for longer than the server keeps its connections open: the next batch is applied at the first attempt', async () => {
  const stage = await setStage({ partitions: 3 })
  const sink = await stage.start(shortSession)
  const first = histories(100, 1)
  await produceStates(stage.topic, first)
  await untilApplied(stage)
  await sleep(7_500)
  const second = histories(100, 1)
  await produceStates(stage.topic, second)
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(newestOf([...first, ...second]))
  await sink.stop()
  expect(sink.logLines.filter(line => line.msg === 'not applied, the partition waits')).toEqual([])
})

test('a deadlock is begun anew', async () => {
  const stage = await setStage()
  const { root } = stage.database
  const [a, b] = [randomUUID(), randomUUID()].toSorted()
  const sink = await stage.start({ LOG_LEVEL: 'debug' })
  await produce([a, b].map(id => recordOf(stage.topic, stateOf(String(id), 1))))
  await untilApplied(stage)

  await root.inTransaction(async transaction => {
    // The server gives up the transaction that has changed less.
    const many = Array.from({ length: 100 }, () => `(UUID(), '', 0, 0, NOW(), NOW())`).join(',')
    await transaction.write(
      `INSERT INTO users_replica (id, name, level, version, created_at, updated_at) VALUES ${many}`,
    )
    await transaction.rows('SELECT id FROM users_replica WHERE id = ? FOR UPDATE', [b])
    await produce([a, b].map(id => recordOf(stage.topic, stateOf(String(id), 2))))
    await untilUpsertWaits(stage)
    await transaction.rows('SELECT id FROM users_replica WHERE id = ? FOR UPDATE', [a])
    await transaction.write('DELETE FROM users_replica WHERE version = 0')
  })
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(newestOf([a, b].map(id => stateOf(String(id), 2))))
  await sink.waitForLog(
    line => line.msg === 'transaction begins again' && /Deadlock/.test(String(line.reason)),
    { what: 'a transaction that begins again because of a deadlock' },
  )
})

test('the table is locked for longer than a statement may wait: the server gives it up before the client does, and it is begun anew', async () => {
  const stage = await setStage()
  const users = sender(stage)
  const sink = await stage.start({ LOG_LEVEL: 'debug' })
  await users.send()
  await untilApplied(stage)
  await stage.database.root.withConnection(async connection => {
    await connection.write('LOCK TABLES users_replica READ')
    await users.send()
    const again = await sink.waitForLog(line => line.msg === 'transaction begins again', {
      timeoutMs: 60_000,
    })
    expect(String(again.reason)).toMatch(/Lock wait timeout/)
    await connection.write('UNLOCK TABLES')
  })
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(users.newest())
  await sink.stop()
  expect(sink.logLines.filter(line => line.msg === 'not applied, the partition waits')).toEqual([])
})

test('a broker that is away for a while: nothing is lost, nothing is applied twice', async () => {
  const stage = await setStage()
  const users = sender(stage)
  const [target = ''] = testKafka().brokers
  const proxy = await startFaultProxy({ target })
  const sink = await stage.start({ ...shortSession, KAFKA_BROKERS: proxy.address })
  await users.send()
  await untilApplied(stage)
  await proxy.refuse()
  await eventually(async () => expect(await readiness(sink)).toBe(503), { what: '/readyz to be 503' })
  await users.send()
  await proxy.restore()
  await untilApplied(stage)
  expect(await stage.replica()).toEqual(users.newest())
  await sink.stop()
  expect(repeatedOffsets([sink])).toEqual([])
}, 360_000)

test('SIGTERM: the batch that is being written is finished, and the group told of it; exit code 0', async () => {
  const stage = await setStage()
  const { root } = stage.database
  const id = randomUUID()
  // As much time as there can be: that it is limited is for other tests to tell.
  const sink = await stage.start({ DRAIN_TIMEOUT_MS: '50000', SHUTDOWN_TIMEOUT_MS: '60000' })
  await produce([recordOf(stage.topic, stateOf(id, 1))])
  await untilApplied(stage)
  const stopped = Promise.withResolvers<number | string>()
  await root.inTransaction(async transaction => {
    await transaction.rows('SELECT id FROM users_replica WHERE id = ? FOR UPDATE', [id])
    await produce([recordOf(stage.topic, stateOf(id, 2))])
    await untilUpsertWaits(stage)
    sink.stop(90_000).then(stopped.resolve, stopped.reject)
    await sink.waitForLog(line => line.msg === 'draining')
  })
  expect(await stopped.promise).toBe(0)
  expect(await stage.replica()).toEqual([stateOf(id, 2)])
  expect(await stage.offsets()).toEqual({ 0: '2' })
  expect(appliedBatches(sink)).toHaveLength(2)
})

test('SIGTERM while the batch that is being written waits for longer than the drain: it is given up, not waited for; exit code 0', async () => {
  const stage = await setStage()
  const { root } = stage.database
  const id = randomUUID()
  // Less than the statement waits for its lock.
  const sink = await stage.start({ DRAIN_TIMEOUT_MS: '500', SHUTDOWN_TIMEOUT_MS: '30000' })
  await produce([recordOf(stage.topic, stateOf(id, 1))])
  await untilApplied(stage)
  await root.inTransaction(async transaction => {
    await transaction.rows('SELECT id FROM users_replica WHERE id = ? FOR UPDATE', [id])
    await produce([recordOf(stage.topic, stateOf(id, 2))])
    await untilUpsertWaits(stage)
    expect(await sink.stop(60_000)).toBe(0)
  })
  expect(await stage.replica()).toEqual([stateOf(id, 1)])
  expect(await stage.offsets()).toEqual({ 0: '1' })
})
