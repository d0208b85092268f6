import { soon } from '@kafka-pattern/test-kit/soon'
import { BatchSendError, RecordTooLargeError } from '@kafka-pattern/kafka-config'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createPoller } from './poller.ts'
import { beginning, microsOf } from './position.ts'
import { createRowRecords } from './row-records.ts'
import type { Observation } from './low-mark.ts'
import type { PollerReport } from './poller-report.ts'
import type { PollerOptions } from './poller.ts'
import type { SourceTable } from './source-table.ts'
import type { GatheringProducer } from '@kafka-pattern/kafka-config'
import type { Row } from '@kafka-pattern/mysql-config'

type Outcome = ConstructorParameters<typeof BatchSendError>[0][number]

/** A poller that has the lease for as long as `isHeld`, on a table with these rows, whose records have these outcomes. */
function startPoller(rows: Row[] = [], outcomes: readonly Outcome[] = []) {
  const sendBatch = vi.fn<GatheringProducer['sendBatch']>()
  if (outcomes.length > 0) sendBatch.mockRejectedValueOnce(new BatchSendError(outcomes))
  const around = { isHeld: true, isBlind: false, aheadMs: 0 }
  const nowMs = performance.now.bind(performance)
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs() + around.aheadMs)
  onTestFinished(() => clock.mockRestore())

  const look = (): Observation | null => {
    const atMs = performance.now()
    const now = microsOf('2026-01-01 00:00:00') + Math.floor(atMs * 1000)
    return around.isBlind ? null : { now, askedAtMs: atMs, atMs, work: [] }
  }
  const mysql = {
    rows: async (sql: string) =>
      sql.includes('FROM poller_cursors')
        ? [
            {
              free: Number(around.isHeld),
              owner: 'me',
              epoch: '1',
              updatedAt: beginning.updatedAt,
              key: '[]',
            },
          ]
        : [],
    write: async () => ({ affectedRows: Number(around.isHeld) }),
    withConnection: async () => look(),
    inTransaction: (work: (transaction: unknown) => Promise<void>) =>
      work({ rows: async () => [{ epoch: '1' }], write: async () => ({ affectedRows: 1 }) }),
  }
  const table: SourceTable = {
    description: {
      table: 'rows',
      keyColumns: ['id'],
      updatedAtColumn: 'updated_at',
      versionColumn: 'version',
      deletedAtColumn: 'deleted_at',
    },
    columns: [],
    updatedAtStepMicros: 1,
    pageAfter: async position => ({ rows: rows.splice(0), end: position, isFull: false }),
    rowsNewerThan: async () => [],
  }
  /** What the report was told, in order. */
  const told: { what: keyof PollerReport; of: unknown[] }[] = []
  const tell =
    (what: keyof PollerReport) =>
    (...of: unknown[]) =>
      void told.push({ what, of })
  const report: PollerReport = {
    standsBy: tell('standsBy'),
    took: tell('took'),
    gaveUp: tell('gaveUp'),
    looked: tell('looked'),
    lookFailed: tell('lookFailed'),
    read: tell('read'),
    published: tell('published'),
    parked: tell('parked'),
    dropped: tell('dropped'),
    reached: tell('reached'),
    saved: tell('saved'),
    databaseAway: tell('databaseAway'),
    kafkaAway: tell('kafkaAway'),
  }
  const failures: Error[] = []
  const options: Omit<PollerOptions, 'mysql' | 'producer'> = {
    name: 'cdc.rows',
    owner: 'me',
    leaseMs: 60_000,
    table,
    recordsOf: createRowRecords(table, 'cdc.rows'),
    cursorKind: 'low-mark',
    pollIntervalMs: 1,
    overlapMs: 1_000,
    rememberedRows: 1_000,
    report,
    onFatal: error => void failures.push(error),
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
  const poller = createPoller({ ...options, mysql, producer: { sendBatch } } as unknown as PollerOptions)
  poller.start()
  onTestFinished(async () => {
    await poller.stop()
    expect(failures).toEqual([])
  })
  return { poller, around, told }
}

test('who loses the lease while it cannot see what is open is ready again: standing by, it need not see it', async () => {
  const { poller, around, told } = startPoller()
  await soon(() => expect(told).toContainEqual(expect.objectContaining({ what: 'looked' })))
  around.isBlind = true
  await soon(() => {
    around.aheadMs += 30_000
    expect(poller.seesOpenTransactions).toBe(false)
  })
  around.isHeld = false
  await soon(() => {
    around.aheadMs += 30_000
    expect(told).toContainEqual({ what: 'standsBy', of: [] })
  })
  expect(poller.seesOpenTransactions).toBe(true)
})

const row = (id: string): Row => ({
  id,
  version: '1',
  updated_at: '2026-01-01 00:00:00.000000',
  deleted_at: null,
})
const stored = { topic: 'cdc.rows', partition: 0, offset: '0' }
const tooLarge = new RecordTooLargeError('cdc.rows', 5, 'the limit of the topic')

test.each([
  ['one of three rows', [stored, tooLarge, stored], 2],
  ['all of them', [tooLarge, tooLarge, tooLarge], 0],
])(
  'what is parked is not counted as published, and the cursor is stored: %s',
  async (_name, outcomes, published) => {
    const { told } = startPoller(['a', 'b', 'c'].map(row), outcomes)
    await soon(() => expect(told.map(({ what }) => what)).toContain('saved'))
    expect(told).toContainEqual({ what: 'published', of: [published] })
    expect(told).toContainEqual({ what: 'saved', of: [expect.anything(), published] })
  },
)

test('while nobody writes, how far it has come is told at every poll, not only when the lease is renewed', async () => {
  const { told } = startPoller()
  const reached = () => told.filter(({ what }) => what === 'reached').map(({ of: [cursor] }) => cursor)
  await soon(() => expect(new Set(reached().map(cursor => JSON.stringify(cursor))).size).toBeGreaterThan(1))
  expect(told.map(({ what }) => what)).not.toContain('saved')
})
