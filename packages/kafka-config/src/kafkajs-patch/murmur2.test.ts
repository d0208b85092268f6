import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const murmur2 = internal('producer/partitioners/default/murmur2')

/** What the real Java client computes; Murmur2Table.java says how the table is made. */
const javaTable: [keyHex: string, hash: number][] = JSON.parse(
  readFileSync(new URL('murmur2-java.json', import.meta.url), 'utf8'),
)

test('a key has the same hash as in the Java client, so both put it into the same partition', () => {
  const differing = javaTable.filter(([keyHex, hash]) => murmur2(Buffer.from(keyHex, 'hex')) !== hash)

  expect(javaTable.length).toBeGreaterThan(400)
  expect(differing).toEqual([])
})

test('a key given as text is hashed by its UTF-8 bytes', () => {
  for (const key of ['', 'foobar', 'Zoë', '日本語のキー', '🦜']) {
    expect(murmur2(key)).toBe(murmur2(Buffer.from(key, 'utf8')))
  }
})

test('hashing a key takes well under a microsecond', () => {
  const keys = Array.from({ length: 20_000 }, (_, i) => Buffer.from(`123e4567-e89b-12d3-a456-${i}`))
  const microsecondsPerKey = Array.from({ length: 10 }, () => {
    const startedAt = performance.now()
    keys.forEach(key => murmur2(key))
    return ((performance.now() - startedAt) * 1000) / keys.length
  })

  // The best of several rounds, because other work on the machine can only make a round slower
  expect(Math.min(...microsecondsPerKey)).toBeLessThan(1)
})
