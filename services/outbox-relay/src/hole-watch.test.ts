import { expect, test } from 'vitest'
import {
  deadOf,
  doomedAt,
  holesClosed,
  holesSeen,
  looked,
  lookedInVain,
  needsLook,
  nothingWatched,
} from './hole-watch.ts'

const graceMs = 100
const hole = [{ from: 7, to: 9 }]
const everything = [{ from: 0, to: Infinity }]
const none: ReadonlySet<string> = new Set()

test('a hole without any open transaction is doomed after two grace times, not before', () => {
  let watch = holesSeen(nothingWatched, hole, 0)
  expect(needsLook(watch, 99, graceMs)).toBe(false)
  // A look within the grace time proves nothing: the transaction may not be listed yet.
  watch = looked(watch, none, 99, 99, graceMs)
  expect(doomedAt(watch, 10_000, graceMs)).toEqual([])

  expect(needsLook(watch, 100, graceMs)).toBe(true)
  watch = looked(watch, none, 100, 105, graceMs)
  expect(needsLook(watch, 106, graceMs)).toBe(false)
  expect(doomedAt(watch, 204, graceMs)).toEqual([])
  expect(doomedAt(watch, 205, graceMs)).toEqual(hole)
})

test('a hole waits for every transaction that was open at the first look, and for no later one', () => {
  let watch = looked(holesSeen(nothingWatched, hole, 0), new Set(['a', 'b']), 100, 100, graceMs)
  watch = looked(watch, new Set(['b', 'c']), 300, 300, graceMs)
  expect(needsLook(watch, 300, graceMs)).toBe(true)
  expect(doomedAt(watch, 10_000, graceMs)).toEqual([])
  watch = looked(watch, new Set(['c']), 500, 500, graceMs)
  expect(doomedAt(watch, 600, graceMs)).toEqual(hole)
})

test('a transaction that ended and whose second another one shares is waited for with that one', () => {
  let watch = looked(holesSeen(nothingWatched, hole, 0), new Set(['a']), 100, 100, graceMs)
  watch = looked(watch, new Set(['a']), 300, 300, graceMs)
  expect(doomedAt(watch, 10_000, graceMs)).toEqual([])
})

test('after a restart of the server a hole that waits begins anew, one whose transactions have ended does not', () => {
  const waits = looked(holesSeen(nothingWatched, hole, 0), new Set(['a']), 100, 100, graceMs)
  const again = lookedInVain(waits, 1_000)
  expect(needsLook(again, 1_099, graceMs)).toBe(false)
  // The same transaction, as the server lists it after its recovery.
  expect(doomedAt(looked(again, new Set(['b']), 1_100, 1_100, graceMs), 10_000, graceMs)).toEqual([])

  const ended = looked(holesSeen(nothingWatched, hole, 0), none, 100, 100, graceMs)
  expect(doomedAt(lookedInVain(ended, 150), 200, graceMs)).toEqual(hole)
})

test('what was seen after a look began is not concerned by it', () => {
  const watch = looked(holesSeen(nothingWatched, hole, 50), none, 100, 400, graceMs)
  expect(watch.young).toHaveLength(1)
})

test('a filled hole is forgotten, its neighbours are not', () => {
  const watch = holesClosed(looked(holesSeen(nothingWatched, hole, 0), none, 100, 100, graceMs), [
    { from: 8, to: 8 },
  ])
  expect(doomedAt(watch, 200, graceMs)).toEqual([
    { from: 7, to: 7 },
    { from: 9, to: 9 },
  ])
  expect(holesClosed(watch, hole)).toEqual(nothingWatched)
})

test('doomed is not dead: the read may find it, or end before it', () => {
  expect(deadOf(hole, [], everything)).toEqual(hole)
  expect(deadOf(hole, [{ from: 8, to: 8 }], everything)).toEqual([
    { from: 7, to: 7 },
    { from: 9, to: 9 },
  ])
  expect(deadOf(hole, [], [{ from: 1, to: 7 }])).toEqual([{ from: 7, to: 7 }])
})

test('a hole that is seen again, by a lane that is behind say, does not begin to wait anew', () => {
  let watch = looked(holesSeen(nothingWatched, hole, 0), none, 100, 100, graceMs)
  watch = holesSeen(watch, [{ from: 8, to: 12 }], 150)
  expect(watch.young).toEqual([{ ranges: [{ from: 10, to: 12 }], seenAtMs: 150 }])
  expect(doomedAt(watch, 200, graceMs)).toEqual(hole)
})
