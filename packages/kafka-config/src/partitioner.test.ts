import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { murmur2, nextStickyPartition, partitionForKey } from './partitioner.ts'

/** What the real Java client computes; kafkajs-patch/Murmur2Table.java says how the table is made. */
const javaTable: [keyHex: string, hash: number][] = JSON.parse(
  readFileSync(new URL('kafkajs-patch/murmur2-java.json', import.meta.url), 'utf8'),
)

test('a key has the same hash as in the Java client', () => {
  const differing = javaTable.filter(([keyHex, hash]) => {
    const key = Buffer.from(keyHex, 'hex')
    return murmur2(key, key.length) !== hash
  })

  expect(javaTable.length).toBeGreaterThan(400)
  expect(differing).toEqual([])
})

test('a key lands on the same partition as in the Java client', () => {
  for (const [keyHex, hash] of javaTable) {
    const key = Buffer.from(keyHex, 'hex')
    // Utils.toPositive(murmur2(key)) % numPartitions
    expect(partitionForKey(key, 6)).toBe((hash & 0x7fffffff) % 6)
  }
})

test('a key given as text is hashed by its UTF-8 bytes, also when it is long', () => {
  for (const key of [
    '',
    'foobar',
    'Zoë',
    'k'.repeat(5_000),
    '日本語'.repeat(113),
    '🦜'.repeat(300),
    `${'a'.repeat(341)}ß`,
  ]) {
    expect(partitionForKey(key, 1_000_003)).toBe(partitionForKey(Buffer.from(key), 1_000_003))
  }
})

test.each([
  ['another one than the current', [1, 1, 1], 1, [0, 2]],
  ['only such with a leader', [-1, 1, -1, 2], 3, [1]],
  ['the current one when no other has a leader', [-1, 1, -1], 1, [1]],
  ['any when none has a leader', [-1, -1], undefined, [0, 1]],
  ['the only one', [1], 0, [0]],
])('records without a key go on to %s', (_what, leaders, current, expected) => {
  const chosen = new Set(
    [0, 0.2, 0.4, 0.6, 0.8, 0.999].map(at => nextStickyPartition(leaders, current, () => at)),
  )

  expect([...chosen].toSorted((a, b) => a - b)).toEqual(expected)
})
