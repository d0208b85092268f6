import { describe, expect, test } from 'vitest'
import { lowMark, readAgainFrom, sampleAfter } from './low-mark.ts'
import type { Observation, OpenWork, Sample } from './low-mark.ts'

const overlapMs = 1_000
/** Seconds on the database's clock as microseconds. */
const s = (seconds: number): number => seconds * 1_000_000

const transaction = (id: string, since: number, session = 1): OpenWork => ({
  kind: 'transaction',
  id,
  session,
  started: String(since),
  since: s(since),
})
const statement = (session: number, since: number): OpenWork => ({
  kind: 'statement',
  id: String(session),
  session,
  started: '',
  since: s(since),
})

/** A look at second `now`; the process's own clock shows the same unless told otherwise. */
function look(now: number, work: OpenWork[] = [], ownClock = now): Observation {
  return { now: s(now), askedAtMs: ownClock * 1000, atMs: ownClock * 1000, work }
}

/** What is known after a look by a poller that began at the table's beginning. */
const knownAfter = (previous: Sample | null, observed: Observation): Sample =>
  sampleAfter(previous, observed, { overlapMs, start: 0 })

/** The samples of several looks, one after the other. */
function samples(...looks: Observation[]): Sample[] {
  const taken: Sample[] = []
  for (const each of looks) taken.push(knownAfter(taken.at(-1) ?? null, each))
  return taken
}

describe('the low mark', () => {
  test.each<[string, Observation[], number]>([
    ['nothing is open: the overlap behind the clock', [look(100)], 99],
    ['an open transaction: its beginning', [look(100, [transaction('7', 40)])], 40],
    ['of several the oldest', [look(100, [transaction('7', 60), transaction('8', 40)])], 40],
    ['a young transaction: the overlap', [look(100, [transaction('7', 99.5)])], 99],
    ['a statement that waits for a lock', [look(100, [statement(3, 70)])], 70],
    ['a transaction that ended counts no more', [look(100, [transaction('7', 40)]), look(101)], 100],
    ['a clock that steps back takes the mark along', [look(100), look(41, [], 101)], 40],
  ])('%s', (_name, looks, seconds) => {
    expect(lowMark(samples(...looks).at(-1)!, overlapMs)).toBe(s(seconds))
  })

  test('a transaction whose first statement had waited keeps the time of that statement to its end', () => {
    const taken = samples(
      look(100, [statement(3, 70)]),
      look(101, [transaction('7', 100.5, 3)]),
      look(102, [transaction('7', 100.5, 3)]),
    )
    expect(taken.map(sample => lowMark(sample, overlapMs))).toEqual([s(70), s(70), s(70)])
  })

  test('a transaction that is new may have begun with a statement that waited unseen, since the overlap before the last look', () => {
    const taken = samples(
      look(100),
      look(105, [transaction('7', 104, 3)]),
      look(106, [transaction('7', 104, 3)]),
      look(107),
    )
    expect(taken.map(sample => lowMark(sample, overlapMs))).toEqual([s(99), s(99), s(99), s(106)])
    expect(readAgainFrom(taken[2]!, taken[3]!, overlapMs)).toBe(s(99))
    // To the poller that takes over at 99 it is as new.
    const after = sampleAfter(null, look(105, [transaction('7', 104, 3)]), { overlapMs, start: s(99) })
    expect(lowMark(after, overlapMs)).toBe(s(99))
  })

  test('what the look before did not see began within the overlap before that look, whatever the server tells', () => {
    const taken = samples(
      look(100),
      look(101, [transaction('7', 40, 3)]),
      look(102, [transaction('7', 40, 3)]),
    )
    expect(taken.map(sample => lowMark(sample, overlapMs))).toEqual([s(99), s(99), s(99)])
  })

  test('a poller that begins counts on the mark of the one before it', () => {
    const first = sampleAfter(null, look(100, [transaction('7', 40)]), { overlapMs, start: s(60) })
    expect(lowMark(first, overlapMs)).toBe(s(60))
    const fromLaterOn = { overlapMs, start: s(60) }
    expect(lowMark(sampleAfter(null, look(50), fromLaterOn), overlapMs)).toBe(s(49))
    const begunAfterTheStep = look(50, [transaction('7', 45)])
    expect(lowMark(sampleAfter(null, begunAfterTheStep, fromLaterOn), overlapMs)).toBe(s(45))
  })

  describe('what was seen before in another shape', () => {
    test.each<[string, Observation[], number]>([
      [
        'a transaction that gets its number with its first change',
        [look(100, [transaction('0', 98)]), look(104, [transaction('7', 98)])],
        98,
      ],
      [
        'the same, after a statement that had waited',
        [
          look(98, [statement(3, 70)]),
          look(99, [transaction('0', 97, 3)]),
          look(101, [transaction('7', 97, 3)]),
        ],
        70,
      ],
      [
        'a transaction that was prepared (XA) between two looks, of which only a statement was seen',
        [look(100, [statement(5, 60)]), look(101, [transaction('7', 59, 0)])],
        60,
      ],
      [
        'the same, of which a transaction without a number was seen',
        [look(100, [transaction('0', 60, 5)]), look(101, [transaction('7', 60, 0)])],
        60,
      ],
      [
        'a prepared transaction that a restarted server lists as a new one',
        [look(100, [transaction('7 60', 60, 5)]), look(110, [transaction('7 109', 109, 0)])],
        60,
      ],
    ])('%s', (_name, looks, seconds) => {
      expect(lowMark(samples(...looks).at(-1)!, overlapMs)).toBe(s(seconds))
    })

    test('of a prepared transaction at the first look nothing is known but where the poller begins', () => {
      const first = sampleAfter(null, look(110, [transaction('7', 109, 0)]), { overlapMs, start: s(60) })
      expect(lowMark(first, overlapMs)).toBe(s(60))
    })
  })

  test('a statement whose beginning is told differently keeps the first', () => {
    const taken = samples(
      look(100, [statement(3, 70)]),
      look(103, [statement(3, 67)]),
      look(104, [statement(3, 69)]),
    )
    expect(taken.map(sample => lowMark(sample, overlapMs))).toEqual([s(70), s(70), s(70)])
  })

  test('the same in one look: the statement has waited and now runs in its transaction', () => {
    const [sample] = samples(look(100, [statement(3, 70), transaction('7', 99, 3)]))
    expect(lowMark(sample!, overlapMs)).toBe(s(70))
  })

  test('a session that always has another transaction does not hold the mark', () => {
    const taken = samples(
      ...Array.from({ length: 20 }, (_, n) =>
        look(100 + 2 * n, [transaction(String(n), 98.5 + 2 * n, 3), statement(3, 98 + 2 * n)]),
      ),
    )
    for (const [n, sample] of taken.entries()) {
      expect(lowMark(sample, overlapMs)).toBeGreaterThanOrEqual(s(96 + 2 * n))
    }
  })

  test('a transaction that was there before the clock stepped back may write with the new time', () => {
    const taken = samples(look(100, [transaction('7', 98)]), look(40.5, [transaction('7', 98)], 100.5))
    expect(lowMark(taken[1]!, overlapMs)).toBe(s(39.5))
    const later = knownAfter(taken[1]!, look(60, [transaction('7', 98)], 120))
    expect(lowMark(later, overlapMs)).toBeLessThanOrEqual(s(40))
  })
})

describe('what is read again', () => {
  test.each<[string, Observation, Observation, number]>([
    ['nothing was open: the overlap behind the look before', look(100), look(101), 99],
    ['a transaction ended: from its beginning', look(100, [transaction('7', 40)]), look(101), 40],
    [
      'one of two ended: from its beginning',
      look(100, [transaction('7', 40), transaction('8', 60)]),
      look(101, [transaction('7', 40)]),
      60,
    ],
    [
      'one is still open: nothing because of it',
      look(100, [transaction('7', 40)]),
      look(101, [transaction('7', 40)]),
      99,
    ],
    [
      'another one of the same session',
      look(100, [transaction('7', 40)]),
      look(101, [transaction('8', 100)]),
      40,
    ],
    ['a statement that waited ended', look(100, [statement(3, 70)]), look(101), 70],
    [
      'a statement that still waits; its time is told in whole seconds',
      look(100, [statement(3, 70)]),
      look(101, [statement(3, 70.9)]),
      99,
    ],
    [
      'another statement of the same session',
      look(100, [statement(3, 70)]),
      look(101, [statement(3, 90)]),
      70,
    ],
    [
      'a statement that waited has a transaction now',
      look(100, [statement(3, 70)]),
      look(101, [transaction('7', 100, 3)]),
      70,
    ],
    ['the clock stepped back: all that it has shown since', look(100), look(41, [], 101), 39],
    ['the clock stepped forward', look(100), look(500, [], 101), 99],
  ])('%s', (_name, before, after, seconds) => {
    const [previous, current] = samples(before, after)
    expect(readAgainFrom(previous!, current!, overlapMs)).toBe(s(seconds))
  })

  test('answers that take long are no step of the clock', () => {
    const slow = (now: number): Observation => ({
      ...look(now),
      askedAtMs: (now - 0.8) * 1000,
      atMs: now * 1000,
    })
    const [previous, current] = samples(slow(100), look(101))
    expect(readAgainFrom(previous!, current!, overlapMs)).toBe(s(99))
    const [first, second] = samples(look(100), slow(101))
    expect(readAgainFrom(first!, second!, overlapMs)).toBe(s(99))
  })
})
