import { expect, onTestFinished, test, vi } from 'vitest'
import { createPoller } from './poller.ts'
import { beginning, microsOf } from './position.ts'
import type { Observation } from './low-mark.ts'
import type { Page, SourceTable } from './source-table.ts'
import type { PollerReport } from './poller-report.ts'
import type { PollerOptions } from './poller.ts'

/** A poller that has the lease for as long as `isHeld`, on a table whose changes are these pages. */
function startPoller(pages: Page[] = []) {
  const around = { isHeld: true, isBlind: false, aheadMs: 0 }
  const nowMs = performance.now.bind(performance)
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs() + around.aheadMs)
  onTestFinished(() => clock.mockRestore())

  const look = (): Observation | null => {
    const atMs = performance.now()
    const now = microsOf('2026-01-01 00:00:00') + atMs * 1000
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
    pageAfter: async position => pages.shift() ?? { rows: [], end: position, isFull: false },
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
    saved: tell('saved'),
    databaseAway: tell('databaseAway'),
    kafkaAway: tell('kafkaAway'),
  }
  const failures: Error[] = []
  const options: Omit<PollerOptions, 'mysql' | 'producer'> = {
    name: 'cdc.rows',
    owner: 'me',
    leaseMs: 1_000,
    table,
    recordsOf: () => [],
    cursorKind: 'low-mark',
    pollIntervalMs: 1,
    overlapMs: 1_000,
    rememberedRows: 1_000,
    report,
    onFatal: error => void failures.push(error),
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
  const poller = createPoller({ ...options, mysql, producer: {} } as unknown as PollerOptions)
  poller.start()
  onTestFinished(async () => {
    await poller.stop()
    expect(failures).toEqual([])
  })
  return { poller, around, told }
}

test('who loses the lease while it cannot see what is open is ready again: standing by, it need not see it', async () => {
  const { poller, around, told } = startPoller()
  await vi.waitFor(() => expect(told).toContainEqual(expect.objectContaining({ what: 'looked' })))
  around.isBlind = true
  await vi.waitFor(() => {
    around.aheadMs += 5_000
    expect(poller.seesOpenTransactions).toBe(false)
  })
  around.isHeld = false
  await vi.waitFor(() => {
    around.aheadMs += 5_000
    expect(told).toContainEqual({ what: 'standsBy', of: [] })
  })
  expect(poller.seesOpenTransactions).toBe(true)
})
