import { createDatabase } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'

test('many rows come as arrays, and end where the bytes do', async () => {
  const { root } = await createDatabase()
  await root.write('CREATE TABLE notes (id INT PRIMARY KEY, body LONGTEXT)')
  await root.write('INSERT INTO notes VALUES ?', [
    Array.from({ length: 50 }, (_, id) => [id, 'x'.repeat(10_000)]),
  ])

  const select = 'SELECT id, body FROM notes ORDER BY id'
  const everything = await root.rowArrays(select, { rows: 100, bytes: 10_000_000 })
  expect(everything).toMatchObject({ cut: false, rows: { length: 50 } })
  expect(everything.rows[7]).toEqual([7, 'x'.repeat(10_000)])

  const first = await root.rowArrays(select, { rows: 100, bytes: 25_000 })
  expect(first.cut).toBe(true)
  expect(first.rows.map(([id]) => id)).toEqual([0, 1, 2])
  expect(await root.rows('SELECT COUNT(*) AS n FROM notes')).toEqual([{ n: '50' }])
})

test('rows as objects end where the bytes do, too', async () => {
  const { root } = await createDatabase()
  await root.write('CREATE TABLE notes (id INT PRIMARY KEY, body LONGTEXT)')
  await root.write('INSERT INTO notes VALUES ?', [
    Array.from({ length: 50 }, (_, id) => [id, 'x'.repeat(10_000)]),
  ])
  const select = 'SELECT id, body FROM notes WHERE id >= ? ORDER BY id'

  const everything = await root.limitedRows(select, [10], { rows: 100, bytes: 10_000_000 })
  expect(everything).toMatchObject({ cut: false, rows: { length: 40 } })
  expect(everything.rows[7]).toEqual({ id: 17, body: 'x'.repeat(10_000) })

  const first = await root.limitedRows(select, [10], { rows: 100, bytes: 25_000 })
  expect(first).toMatchObject({ cut: true, rows: [{ id: 10 }, { id: 11 }, { id: 12 }] })

  const asManyAsAsked = await root.limitedRows(select, [10], { rows: 3, bytes: 25_000 })
  expect(asManyAsAsked).toEqual({ ...first, cut: false })
})

test('a SELECT that the server refuses is an error, and the connection is still good', async () => {
  const { root } = await createDatabase()
  await expect(root.rowArrays('SELECT * FROM nowhere', { rows: 1, bytes: 1 })).rejects.toMatchObject({
    errno: 1146,
  })
  await root.health()
})
