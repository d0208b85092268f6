import { describe, expect, test } from 'vitest'
import { ForeignCursorError, charsOf, readCursor, writeCursor } from './cursor-text.ts'
import type { Cursor } from './cursor.ts'

const cursors: [what: string, cursor: Cursor, metadata: RegExp][] = [
  ['without holes', { high: 41, holes: [] }, /^1\/4\/$/],
  ['one hole', { high: 41, holes: [{ from: 40, to: 40 }] }, /^1\/4\/C$/],
  [
    'holes near and far, short and long',
    {
      high: 4_503_599_627_370_496,
      holes: [
        { from: 1, to: 5_000_000_000 },
        { from: 4_503_599_627_369_001, to: 4_503_599_627_369_001 },
        { from: 4_503_599_627_370_494, to: 4_503_599_627_370_495 },
      ],
    },
    /^1\/4\/[a-zA-Z0-9+/]{20,40}$/,
  ],
]

test.each(cursors)('%s: what is written is read', (_what, cursor, metadata) => {
  const text = writeCursor(cursor, 4)
  expect(text.metadata).toMatch(metadata)
  expect(readCursor(text, 4)).toEqual(cursor)
})

test('random cursors come back as they were, in as many characters as was counted', () => {
  for (let round = 0; round < 300; round++) {
    const holes: { from: number; to: number }[] = []
    let seq = 1
    for (let i = 0; i < Math.random() * 40; i++) {
      seq += 1 + Math.floor(Math.random() * 10 ** (1 + Math.random() * 5))
      const to = seq + Math.floor(Math.random() ** 3 * 50)
      holes.push({ from: seq, to })
      seq = to + 1
    }
    const cursor = { high: seq + Math.floor(Math.random() * 100), holes }
    const text = writeCursor(cursor, 8)
    expect(readCursor(text, 8)).toEqual(cursor)
    const counted = holes.reduce((sum, hole, i) => sum + charsOf(hole, holes[i + 1]?.from ?? cursor.high), 0)
    expect(text.metadata.length - '1/8/'.length).toBe(counted)
  }
})

describe('what is not ours is refused in one sentence', () => {
  test.each([
    [
      'another number of lanes',
      { offset: '41', metadata: '1/8/C' },
      /belongs to 8 lanes, but RELAY_LANES is 4/,
    ],
    ['another version', { offset: '41', metadata: '2/4/C' }, /not written by this relay/],
    ['nothing', { offset: '41', metadata: '' }, /not written by this relay/],
    ['other characters', { offset: '41', metadata: '1/4/!' }, /no digit/],
  ])('%s', (_what, text, message) => {
    expect(() => readCursor(text, 4)).toThrow(message)
    expect(() => readCursor(text, 4)).toThrow(ForeignCursorError)
  })
})
