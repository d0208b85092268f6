/** Two owners of one partition, both of which the group believes: what the database makes of that. */
import { randomUUID } from 'node:crypto'
import { createMysql } from '@kafka-pattern/mysql-config'
import { createDatabase, testKafka } from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import { Settings, mysqlOptionsOf } from './config.ts'
import { effectivelyOnce } from './effectively-once.ts'
import { newestChanges } from './read-changes.ts'
import { readReplica, stateOf } from './test-users.ts'
import type { UserState } from '@kafka-pattern/events'
import type { CommitOutcome } from '@kafka-pattern/kafka-config'
import type { TestDatabase } from '@kafka-pattern/test-kit'

const partition = { topic: 'cdc.users', partition: 0, assignment: 1 }

/** An owner with connections of its own, as the service makes them. */
function owner(database: TestDatabase, told: CommitOutcome = 'committed') {
  const settings = Settings.parse({ KAFKA_BROKERS: 'unused:9092' })
  const mysql = createMysql(
    database.settings('mysql-sink-consumer'),
    testKafka().logger,
    mysqlOptionsOf(settings),
  )
  onTestFinished(() => mysql.close())
  return effectivelyOnce({
    consumer: { commit: async () => told },
    mysql,
    table: 'users_replica',
    group: 'sink',
    onGroupCommitFailed: () => {},
  })
}

function batch(from: string, to: string, states: UserState[]) {
  const record = { key: null, value: null, timestamp: '0', attributes: 0, offset: from, headers: {} }
  const changes = newestChanges(
    states.map(state => ({ record, state })),
    [],
  )
  return { partition, changes, from, to }
}

test('an owner that was overtaken applies nothing, not even what is newer, and learns where to go on', async () => {
  const database = await createDatabase()
  const [old, successor] = [owner(database), owner(database)]
  const id = randomUUID()
  expect(await old.findPosition(partition)).toEqual({ state: 'at', offset: '0' })
  expect(await successor.deliver(batch('0', '5', [stateOf(id, 1)]))).toMatchObject({ state: 'applied' })

  expect(await old.deliver(batch('0', '7', [stateOf(id, 2), stateOf(randomUUID(), 1)]))).toEqual({
    state: 'overtaken',
  })
  expect(await readReplica(database.root)).toEqual([stateOf(id, 1)])
  expect(await old.findPosition(partition)).toEqual({ state: 'at', offset: '5' })
  expect(await old.deliver(batch('5', '7', [stateOf(id, 2)]))).toMatchObject({ state: 'applied' })
})

test('of many owners that apply at the same moment one does, however often', async () => {
  const database = await createDatabase()
  const owners = Array.from({ length: 5 }, () => owner(database))
  await owners[0]?.findPosition(partition)
  for (let offset = 0; offset < 10; offset++) {
    const states = Array.from({ length: 20 }, () => stateOf(randomUUID(), 1))
    const outcomes = await Promise.all(
      owners.map(each => each.deliver(batch(String(offset), String(offset + 1), states))),
    )
    expect(outcomes.map(({ state }) => state).toSorted()).toEqual(['applied', ...Array(4).fill('overtaken')])
  }
  expect(await readReplica(database.root)).toHaveLength(200)
})

test('an owner of whom the group knows nothing any more is told so before it goes on', async () => {
  const database = await createDatabase()
  expect(await owner(database, 'no longer owned').findPosition(partition)).toEqual({
    state: 'not owned',
  })
})
