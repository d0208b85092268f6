import { createDatabase } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { requireSchema } from './require-schema.ts'

const refused = { errno: 1142 }

test('the user of one service cannot do the work of another', async () => {
  const database = await createDatabase()
  const registry = database.connect('user-registry')
  const relay = database.connect('outbox-relay')
  const sink = database.connect('mysql-sink-consumer')
  const poller = database.connect('cdc-poller')

  await registry.write("INSERT INTO users (id, name, level, version) VALUES ('a', 'Ada', 1, 1)")
  expect(await poller.rows('SELECT name FROM users')).toEqual([{ name: 'Ada' }])
  await expect(poller.write('UPDATE users SET level = 2')).rejects.toMatchObject(refused)
  await expect(registry.write('DELETE FROM users')).rejects.toMatchObject(refused)
  await expect(registry.rows('SELECT * FROM outbox')).rejects.toMatchObject(refused)
  await expect(registry.rows('SELECT * FROM users_replica')).rejects.toMatchObject(refused)
  await expect(relay.rows('SELECT * FROM users')).rejects.toMatchObject(refused)
  await expect(relay.write('UPDATE outbox SET id = 1')).rejects.toMatchObject(refused)
  await expect(sink.rows('SELECT * FROM users')).rejects.toMatchObject(refused)
})

test('names that Kafka tells apart by their case have rows of their own', async () => {
  const { root } = await createDatabase()
  const offset =
    'INSERT INTO consumer_offsets (group_id, topic, partition_id, next_offset) VALUES (?, ?, 0, ?)'
  await root.write(offset, ['sink', 'cdc.users', 1])
  await root.write(offset, ['Sink', 'cdc.users', 2])
  await root.write(offset, ['sink', 'cdc.Users', 3])
  expect(
    await root.rows("SELECT topic, next_offset AS next FROM consumer_offsets WHERE group_id = 'Sink'"),
  ).toMatchObject([{ topic: 'cdc.users', next: '2' }])

  const cursor = "INSERT INTO poller_cursors (name, cursor_updated_at, cursor_key) VALUES (?, NOW(6), '[]')"
  await root.write(cursor, ['cdc.users'])
  await root.write(cursor, ['cdc.Users'])
  expect(await root.rows("SELECT name FROM poller_cursors WHERE name = 'cdc.Users'")).toEqual([
    { name: 'cdc.Users' },
  ])
})

test('a schema of another version is refused in one sentence', async () => {
  const { root } = await createDatabase()
  await requireSchema(root, 'outbox-relay', 1)
  await expect(requireSchema(root, 'outbox-relay', 2)).rejects.toThrow(
    /schema version 1 of outbox-relay, but version 2/,
  )
  await expect(requireSchema(root, 'nope', 1)).rejects.toThrow(/no schema of nope/)
})
