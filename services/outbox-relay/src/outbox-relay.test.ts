import { soon } from '@kafka-pattern/test-kit/soon'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { emptyCursor } from './cursor.ts'
import { gatherMsOf, OutboxRelay } from './outbox-relay.ts'
import type { ServedLane } from './outbox-relay.ts'
import type { Scan } from './scan.ts'

const nothing: Scan = { rows: [], high: 0, gaps: [], closed: [], more: false, leftOut: null }

type FakeLane = { -readonly [Name in keyof ServedLane]: ServedLane[Name] } & { offers: number }

function fakeLane(number: number, state: Partial<FakeLane> = {}): FakeLane {
  const lane: FakeLane = {
    number,
    ahead: emptyCursor,
    takesRows: true,
    busy: false,
    onTransactionEnd: () => {},
    heldUp: false,
    stopped: false,
    waitingBytes: 0,
    oldestWaiting: null,
    offers: 0,
    offer: () => void lane.offers++,
    giveBack: () => {},
    ...state,
  }
  return lane
}

interface Counted {
  reads: number
  /** The outbox has a backlog: every read leaves rows for the next one. */
  more: boolean
  lagsMs: number[]
  /** What a read waits for. */
  answer: Promise<void>
}

let relay: OutboxRelay | undefined
afterEach(() => relay?.stop())

/** A relay of these lanes that runs, how often it has read, and how far behind it said it was. */
function started(lanes: FakeLane[], ageOf = (seq: number) => Promise.resolve(seq)): Counted {
  const counted: Counted = { reads: 0, more: false, lagsMs: [], answer: Promise.resolve() }
  relay = new OutboxRelay({
    reader: {
      read: async () => {
        counted.reads++
        await nextTurn()
        await counted.answer
        return { ...nothing, more: counted.more }
      },
      readFor: () => {},
      forget: () => {},
      examineHoles: () => Promise.resolve(),
      ageOf,
      holes: 0,
    },
    keeper: { lanes, healthy: true, start: () => {}, stop: () => Promise.resolve() },
    report: { state: ({ lagMs }) => counted.lagsMs.push(lagMs), databaseAway: () => {} },
    pollIntervalMs: 4,
    readAheadBytes: 1_000,
    onFatal: error => {
      throw error
    },
  })
  relay.start()
  return counted
}

/** Resolves when the relay, which waits for this to change, has looked at it again and again; how often, it can be asked. */
async function untilLookedAt(lane: FakeLane, name: 'busy' | 'waitingBytes'): Promise<() => number> {
  let value: FakeLane[typeof name] = lane[name]
  let looks = 0
  Object.defineProperty(lane, name, {
    get: () => {
      looks++
      return value
    },
    set: (changed: FakeLane[typeof name]) => {
      value = changed
    },
  })
  await soon(() => expect(looks).toBeGreaterThan(20))
  return () => looks
}

describe('while all lanes publish', () => {
  test('nothing is read, until one of them is through', async () => {
    const lanes = [fakeLane(0, { busy: true }), fakeLane(1, { busy: true })]
    const counted = started(lanes)
    await untilLookedAt(lanes[1]!, 'busy')
    // The first read is for lanes that are new to it.
    expect(counted.reads).toBe(1)
    lanes[1]!.busy = false
    await soon(() => expect(counted.reads).toBeGreaterThan(3))
  })

  test('it looks at them again as soon as a transaction has ended', async () => {
    const lane = fakeLane(0, { busy: true })
    started([lane])
    const looks = await untilLookedAt(lane, 'busy')
    const before = looks()
    lane.onTransactionEnd()
    // No timer ends meanwhile.
    for (let turn = 0; turn < 10; turn++) await Promise.resolve()
    expect(looks()).toBeGreaterThan(before)
  })

  test('a lane that opens, or gets on, is read for', async () => {
    const lanes = [fakeLane(0, { busy: true })]
    started(lanes)
    await untilLookedAt(lanes[0]!, 'busy')
    const opened = fakeLane(1, { busy: true })
    lanes.push(opened)
    await soon(() => expect(opened.offers).toBe(1))
  })
})

test.each([
  { rows: 500, waitedMs: 0, waitedBeforeMs: 15, gatherMs: 0, why: 'a lane was free' },
  { rows: 500, waitedMs: 15, waitedBeforeMs: 0, gatherMs: 0, why: 'the first wait' },
  { rows: 500, waitedMs: 10, waitedBeforeMs: 8, gatherMs: 8, why: 'a steady load' },
  { rows: 500, waitedMs: 300, waitedBeforeMs: 8, gatherMs: 8, why: 'one slow transaction' },
  { rows: 500, waitedMs: 300, waitedBeforeMs: 300, gatherMs: 20, why: 'all are slow' },
  { rows: 5, waitedMs: 300, waitedBeforeMs: 300, gatherMs: 8, why: 'a slow broker without load' },
])('gathers for $gatherMs ms: $why', ({ rows, waitedMs, waitedBeforeMs, gatherMs }) => {
  expect(gatherMsOf(rows, waitedMs, waitedBeforeMs)).toBe(gatherMs)
})

test('a lane that is stopped with more rows than may wait does not hold up the reads for the others', async () => {
  const stopped = fakeLane(0, { waitingBytes: 2_000 })
  const other = fakeLane(1)
  started([stopped, other])
  await soon(() => expect(other.offers).toBe(1))
  await untilLookedAt(stopped, 'waitingBytes')
  expect(other.offers, 'no room').toBe(1)
  stopped.stopped = true
  await soon(() => expect(other.offers).toBeGreaterThan(1))
})

test('stopped in the midst of a backlog, it reads no more of it', async () => {
  const counted = started([fakeLane(0)])
  counted.more = true
  await soon(() => expect(counted.reads).toBeGreaterThan(3))
  const before = counted.reads
  let isStopped = false
  void relay?.stop().then(() => (isStopped = true))
  // Not a race of two waits: the one that loses would go on, and move the clocks of other tests.
  await soon(() => expect(isStopped || counted.reads > before + 100).toBe(true))
  counted.more = false
  expect(counted.reads).toBeLessThanOrEqual(before + 1)
})

describe('how old the oldest waiting row is', () => {
  test('is not known while a lane is not open', async () => {
    const opening = fakeLane(1)
    const { lagsMs } = started([fakeLane(0, { oldestWaiting: 5 }), opening])
    await soon(() => expect(lagsMs).toContainEqual(NaN))
    expect(lagsMs).not.toContain(5)
    opening.oldestWaiting = 7
    await soon(() => expect(lagsMs.at(-1)).toBe(5))
  })

  test('nor while the database is away', async () => {
    const away = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    const { lagsMs } = started([fakeLane(0, { oldestWaiting: 5 })], () => Promise.reject(away))
    await soon(() => expect(lagsMs).toContainEqual(NaN))
  })

  test('nor while the database has fallen silent, and the relay is not ready then', async () => {
    const answer = Promise.withResolvers<number>()
    const counted = started([fakeLane(0, { oldestWaiting: 5 })], () => answer.promise)
    await soon(() => expect(relay?.healthy).toBe(true))
    const read = Promise.withResolvers<void>()
    counted.answer = read.promise
    await soon(() => expect(relay?.healthy).toBe(false))
    await soon(() => expect(counted.lagsMs).toEqual([NaN]))

    answer.resolve(5)
    read.resolve()
    await soon(() => expect(relay?.healthy).toBe(true))
    await soon(() => expect(counted.lagsMs.at(-1)).toBe(5))
  })
})
