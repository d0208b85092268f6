import { expect, test } from 'vitest'
import { createDatabase } from './test-mysql.ts'

test('a database of its own, as production loads it, which a service opens as its own user, and gone afterwards', async () => {
  const [one, other] = await Promise.all([createDatabase(), createDatabase()])
  await one
    .connect('user-registry')
    .write("INSERT INTO users VALUES ('a', 'Ada', 1, 1, NOW(6), NOW(6), NULL)")
  expect(await one.root.rows('SELECT id FROM users')).toEqual([{ id: 'a' }])
  expect(await other.root.rows('SELECT id FROM users')).toEqual([])
  expect(one.env('user-registry')).toMatchObject({
    MYSQL_USER: 'user_registry',
    MYSQL_DATABASE: one.name,
    MYSQL_PORT: String(one.server.port),
  })

  await one.drop()
  expect(await other.root.rows('SHOW DATABASES LIKE ?', [one.name])).toEqual([])
})

test('an empty one loads nothing', async () => {
  const { root } = await createDatabase({ load: false })
  expect(await root.rows('SHOW TABLES')).toEqual([])
})
