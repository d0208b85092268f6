import { describe, expect, test } from 'vitest'
import { NotRetryableError, RecordFailed } from './handler.ts'
import { openAfter, processBatch } from './process-batch.ts'
import type { Batch } from './batch-collector.ts'
import type { BatchReport } from './batch-report.ts'
import type { BatchPlace } from './process-batch.ts'
import type { DeadLetters } from '@kafka-pattern/dead-letter'
import type { BatchHandler } from './handler.ts'

const unobserved: BatchReport = {
  behind: () => {},
  began: () => () => {},
  processed: () => {},
  isolating: () => {},
  retrying: () => {},
  deadLettered: () => {},
  deadLetterRefused: () => {},
  committed: () => {},
  commitRefused: () => {},
  gaveUp: () => {},
}

const retryPolicy = { kind: 'fixed', delayMs: 0, maxAttempts: 3 } as const
const longWaits = { kind: 'fixed', delayMs: 3_600_000, maxAttempts: 3 } as const

function batchOf(names: (string | null)[], firstOffset = 10): Batch {
  return {
    records: names.map((name, index) => ({
      key: null,
      value:
        name === null
          ? null
          : Buffer.from(
              JSON.stringify({ id: '8e6f3cd0-0d10-4b5f-8a55-3d0c8f5d8f6a', event: 'create', level: 1, name }),
            ),
      timestamp: '0',
      attributes: 0,
      offset: String(firstOffset + index),
      headers: {},
    })),
    firstOffset: String(firstOffset),
    nextOffset: String(firstOffset + names.length),
    closedBy: 'size',
  }
}

/** A downstream that writes all names or none: `down` says for how many calls each bad name fails. */
class Downstream {
  readonly calls: string[][] = []
  readonly stored: string[] = []
  readonly dead: [offset: string, category: string, attempts: number, error: string][] = []
  readonly draining = new AbortController()
  readonly abandoned = new AbortController()
  acceptsDeadLetters = true
  onCall: (names: string[]) => void = () => {}

  async run(
    names: (string | null)[],
    handle: BatchHandler,
    policy = retryPolicy as typeof retryPolicy | typeof longWaits,
  ) {
    const deadLetters: DeadLetters<BatchPlace> = {
      refused: false,
      publish: async (_place, record, failure) => {
        await Promise.resolve()
        if (!this.acceptsDeadLetters) return 'interrupted'
        this.dead.push([record.offset, failure.category, failure.attempts, String(failure.error)])
        return 'done'
      },
    }
    const traced: BatchHandler = async (records, context) => {
      const called = records.map(each => each.value.name)
      this.calls.push(called)
      this.onCall(called)
      await handle(records, context)
      this.stored.push(...called)
    }
    return processBatch(
      batchOf(names),
      { topic: 't', partition: 0, batch: 1 },
      { draining: this.draining.signal, abandoned: this.abandoned.signal },
      { handle: traced, deadLetters, retryPolicy: policy, report: unobserved },
    )
  }
}

const refusing =
  (bad: string, error: Error): BatchHandler =>
  records => {
    if (records.some(each => each.value.name === bad)) throw error
  }

describe('a batch is seen through', () => {
  test('a good batch is one call of the handler', async () => {
    const downstream = new Downstream()
    expect(await downstream.run(['a', 'b', 'c'], () => {})).toEqual({ state: 'done', nextOffset: '13' })
    expect(downstream.calls).toEqual([['a', 'b', 'c']])
  })

  test('dead letters come in the order of their records, whatever is wrong with them', async () => {
    const downstream = new Downstream()
    const bad = refusing('b', new NotRetryableError('no'))
    const outcome = await downstream.run([null, 'a', null, 'b', null, 'c', null], bad)
    expect(outcome).toEqual({ state: 'done', nextOffset: '17' })
    expect(downstream.dead.map(([offset]) => offset)).toEqual(['10', '12', '13', '14', '16'])
    expect(downstream.stored).toEqual(['a', 'c'])
  })

  test('null, not JSON, not the schema: dead letters, the rest of the batch done', async () => {
    const downstream = new Downstream()
    const outcome = await downstream.run(['a', null, '', 'b', null], () => {})
    expect(outcome).toEqual({ state: 'done', nextOffset: '15' })
    expect(downstream.stored).toEqual(['a', 'b'])
    expect(downstream.dead.map(([offset, category, attempts]) => [offset, category, attempts])).toEqual([
      ['11', 'not retryable', 1],
      ['12', 'not retryable', 1],
      ['14', 'not retryable', 1],
    ])
  })

  test('a batch of nothing readable does not call the handler', async () => {
    const downstream = new Downstream()
    expect(await downstream.run([null, null], () => {})).toEqual({ state: 'done', nextOffset: '12' })
    expect(downstream.calls).toEqual([])
  })

  test.each(['a', 'b', 'c', 'd', 'e', 'f', 'g'])(
    'one bad record (%s) is separated, the others done in order',
    async bad => {
      const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
      const downstream = new Downstream()
      const outcome = await downstream.run(names, refusing(bad, new NotRetryableError('no')))
      expect(outcome).toEqual({ state: 'done', nextOffset: '17' })
      expect(downstream.stored).toEqual(names.filter(name => name !== bad))
      expect(downstream.dead).toEqual([
        [String(10 + names.indexOf(bad)), 'not retryable', 1, 'NotRetryableError: no'],
      ])
      expect(downstream.calls.filter(call => call.length === 1 && call[0] === bad)).toHaveLength(1)
    },
  )

  test('a record that is retried is not overtaken by those after it', async () => {
    let failures = 2
    const downstream = new Downstream()
    const outcome = await downstream.run(['a', 'b', 'c', 'd'], records => {
      if (records.some(each => each.value.name === 'b') && (records.length > 1 || failures-- > 0))
        throw new Error('busy')
    })
    expect(outcome.state).toBe('done')
    expect(downstream.stored).toEqual(['a', 'b', 'c', 'd'])
    expect(downstream.calls).toEqual([
      ['a', 'b', 'c', 'd'],
      ['a', 'b'],
      ['a'],
      ['b'],
      ['b'],
      ['b'],
      ['c', 'd'],
    ])
    expect(downstream.dead).toEqual([])
  })

  test('a record that always fails is tried maxAttempts times, then dead-lettered with its last error', async () => {
    const downstream = new Downstream()
    await downstream.run(['a', 'b'], refusing('b', new Error('busy')))
    expect(downstream.calls.filter(call => call.length === 1 && call[0] === 'b')).toHaveLength(3)
    expect(downstream.dead).toEqual([['11', 'retries exhausted', 3, 'Error: busy']])
  })

  test('RecordFailed: those before it are not handled again, nothing is searched', async () => {
    const downstream = new Downstream()
    await downstream.run(['a', 'b', 'c', 'd'], records => {
      const index = records.findIndex(each => each.value.name === 'c')
      if (index >= 0) throw new RecordFailed(index, new NotRetryableError('no'))
    })
    expect(downstream.calls).toEqual([['a', 'b', 'c', 'd'], ['c'], ['d']])
    expect(downstream.dead).toEqual([['12', 'not retryable', 1, 'NotRetryableError: no']])
  })

  test('every record failing: each gets its own attempts and its own dead letter, in order', async () => {
    const downstream = new Downstream()
    const outcome = await downstream.run(['a', 'b', 'c'], () => {
      throw new Error('down')
    })
    expect(outcome).toEqual({ state: 'done', nextOffset: '13' })
    expect(downstream.dead.map(([offset]) => offset)).toEqual(['10', '11', '12'])
  })
})

describe('giving the partition up', () => {
  test('while draining, a call that runs is finished and counts', async () => {
    const downstream = new Downstream()
    downstream.onCall = () => downstream.draining.abort()
    expect(await downstream.run(['a', 'b'], () => {})).toEqual({ state: 'done', nextOffset: '12' })
  })

  test('a wait for a retry ends at once; what lies before the record is done, the rest is not begun', async () => {
    const downstream = new Downstream()
    downstream.onCall = called => {
      if (called.length === 1 && called[0] === 'c') setImmediate(() => downstream.draining.abort())
    }
    const outcome = await downstream.run(['a', 'b', 'c', 'd'], refusing('c', new Error('busy')), longWaits)
    expect(outcome).toEqual({ state: 'interrupted', nextOffset: '12' })
    expect(downstream.stored).toEqual(['a', 'b'])
    expect(downstream.dead).toEqual([])
  })

  test('once abandoned, nothing more is begun', async () => {
    const downstream = new Downstream()
    downstream.onCall = called => {
      if (called.length === 2 && called[0] === 'a') downstream.abandoned.abort()
    }
    const outcome = await downstream.run(['a', 'b', 'c', 'd'], refusing('d', new Error('busy')))
    expect(outcome).toEqual({ state: 'interrupted', nextOffset: '12' })
    expect(downstream.calls).toEqual([
      ['a', 'b', 'c', 'd'],
      ['a', 'b'],
    ])
  })

  test('a dead letter that is not accepted leaves its record open: what lies before it is done, no more', async () => {
    const downstream = new Downstream()
    downstream.acceptsDeadLetters = false
    const outcome = await downstream.run(['a', 'b', 'c'], refusing('b', new NotRetryableError('no')))
    expect(outcome).toEqual({ state: 'interrupted', nextOffset: '11' })
    expect(downstream.stored).toEqual(['a'])
  })

  test('an unreadable record whose dead letter is not accepted is open, and what lies before it is not', async () => {
    const downstream = new Downstream()
    downstream.acceptsDeadLetters = false
    const outcome = await downstream.run(['a', 'b', null, 'c'], () => {})
    expect(outcome).toEqual({ state: 'interrupted', nextOffset: '12' })
  })
})

test.each([
  [new Error('x'), { from: 0, to: 2 }, [[0, 1], [1, 2]]], // prettier-ignore
  [new Error('x'), { from: 3, to: 8 }, [[3, 5], [5, 8]]], // prettier-ignore
  [new RecordFailed(0, null), { from: 3, to: 8 }, [[3, 4], [4, 8]]], // prettier-ignore
  [new RecordFailed(2, null), { from: 3, to: 8 }, [[5, 6], [6, 8]]], // prettier-ignore
  [new RecordFailed(4, null), { from: 3, to: 8 }, [[7, 8]]],
  [new RecordFailed(5, null), { from: 3, to: 8 }, [[3, 5], [5, 8]]], // prettier-ignore
  [new RecordFailed(-1, null), { from: 3, to: 8 }, [[3, 5], [5, 8]]], // prettier-ignore
  [new RecordFailed(1.5, null), { from: 3, to: 8 }, [[3, 5], [5, 8]]], // prettier-ignore
])('after %s on %j these are open: %j', (error, range, open) => {
  expect(openAfter(error, range).map(({ from, to }) => [from, to])).toEqual(open)
})
