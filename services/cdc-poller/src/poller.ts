/**
 * The life of a poller: it stands by until the lease is its own, works for as long as it is, and stands by again. Outages of the
 * database and of Kafka are waited out where they occur, so that the lessons need not speak of them.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { classifyKafkaError } from '@kafka-pattern/kafka-config'
import { isRetryableMysqlError } from '@kafka-pattern/mysql-config'
import { retry, untilItWorks } from '@kafka-pattern/retry'
import { followChanges, markOf } from './cdc-poller.ts'
import { LeaseLostError, takeLease } from './cursor-lease.ts'
import { sampleAfter } from './low-mark.ts'
import { followNaively } from './naive-poller.ts'
import { observeOpenWork } from './open-transactions.ts'
import { openParkedRows } from './parked-rows.ts'
import { leftAfter, settledKeys } from './unstored-records.ts'
import type { Change } from './cdc-poller.ts'
import type { CursorLeaseOptions, Lease } from './cursor-lease.ts'
import type { Premises, Sample } from './low-mark.ts'
import type { ParkedRows } from './parked-rows.ts'
import type { PollerReport } from './poller-report.ts'
import type { Position } from './position.ts'
import type { SourceTable } from './source-table.ts'
import type { TooLarge } from './unstored-records.ts'
import type { GatheringProducer, OutgoingRecord } from '@kafka-pattern/kafka-config'
import type { Row } from '@kafka-pattern/mysql-config'

export interface PollerOptions extends CursorLeaseOptions {
  readonly table: SourceTable
  readonly producer: GatheringProducer
  readonly recordsOf: (row: Row) => OutgoingRecord[]
  readonly cursorKind: 'low-mark' | 'naive'
  readonly pollIntervalMs: number
  readonly overlapMs: number
  readonly rememberedRows: number
  readonly report: PollerReport
  /** Told of an error that waiting does not cure: the poller stands still from then on, so the service should stop. */
  readonly onFatal: (error: Error) => void
}

export interface Poller {
  /** False while it works without having seen for long what is open in the database, so that its cursor stands still. */
  readonly seesOpenTransactions: boolean
  start(): void
  /** Resolves when what was being published is stored, with the cursor after it, and the lease is free. */
  stop(): Promise<void>
}

/** The server answers from a cache when anybody asked less than 100 ms ago. */
const shortestLookIntervalMs = 150

/** Several readers of it get along by trying again; for longer than this, something is wrong. */
const longestBlindMs = 10_000

export function createPoller(options: PollerOptions): Poller {
  const { table, producer, recordsOf, leaseMs, report } = options
  const stop = new AbortController()
  const stopping = stop.signal
  let ended: Promise<void> = Promise.resolve()
  let nextLookAtMs = -Infinity
  let failedLooks = 0
  let blindSinceMs: number | null = null

  async function live(): Promise<void> {
    try {
      while (!stopping.aborted) {
        const lease = await standBy()
        if (lease !== null) await work(lease)
      }
    } catch (error) {
      // Whatever was away while the service stops: what is not stored is published again after the restart.
      if (stopping.aborted) report.gaveUp(error)
      else options.onFatal(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Null: the service stops. */
  async function standBy(): Promise<Lease | null> {
    for (let waits = false; !stopping.aborted; waits = true) {
      const lease = await patiently(() => takeLease(options))
      if (lease !== null) return lease
      if (!waits) report.standsBy()
      await pause(leaseMs / 10)
    }
    return null
  }

  async function work(lease: Lease): Promise<void> {
    report.took(lease)
    let tools: ReturnType<typeof toolsFor> | null = null
    try {
      const parkedRows = await patiently(() => openParkedRows(options.mysql, options.name, lease.epoch))
      tools = toolsFor(lease, parkedRows)
      await (options.cursorKind === 'naive' ? followNaively : followChanges)(lease.cursor, tools)
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error
      report.gaveUp(error)
      return
    } finally {
      // Who stands by looks at nothing, and so is not blind.
      blindSinceMs = null
      failedLooks = 0
      // What was begun ends before another poller can begin.
      await tools?.lastSave().catch(() => {})
      // Nobody's any more, or already another one's; with the database away it runs out.
      await lease.release().catch(() => {})
    }
  }

  function toolsFor(lease: Lease, parkedRows: ParkedRows) {
    const start = markOf(lease.cursor, table.updatedAtStepMicros)
    let saved = lease.cursor
    /** Stored in Kafka, of a page whose cursor is not; null: there is none. */
    let unsavedRecords: number | null = null
    let saving: Promise<void> = Promise.resolve()

    async function save(cursor: Position): Promise<void> {
      // When nothing happens, the cursor moves with the time: that need not be written at every poll.
      if (unsavedRecords === null && !lease.isDue) return report.reached(cursor)
      const records = unsavedRecords ?? 0
      // Before the wait: what is published meanwhile is not in it, and who renews the lease meanwhile must not store an earlier one.
      unsavedRecords = null
      saved = cursor
      await patiently(() => lease.save(cursor))
      report.saved(cursor, records)
    }

    async function publish(changes: readonly Change[]): Promise<void> {
      if (changes.length === 0) return
      const records = changes.flatMap(change => change.records ?? recordsOf(change.row))
      const refused = new Set<OutgoingRecord>()
      let unsent: readonly OutgoingRecord[] = records
      await retry(
        async () => {
          while (unsent.length > 0) {
            // One that was frozen, or waits for long, finds out before it sends that another one has taken over.
            if (lease.isDue) await patiently(() => lease.save(saved))
            try {
              await producer.sendBatch(unsent)
              return
            } catch (error) {
              const left = leftAfter(error, unsent)
              if (left === null) throw error
              // Or a page that takes longer than one delivery would begin anew for ever.
              unsent = left.rest
              if (left.tooLarge.length === 0) throw error
              await park(left.tooLarge, changes)
              for (const { record } of left.tooLarge) refused.add(record)
            }
          }
        },
        {
          policy: untilItWorks,
          signal: stopping,
          isRetryable: error =>
            !(error instanceof LeaseLostError) && classifyKafkaError(error) === 'retryable',
          onRetry: info => report.kafkaAway(unsent.length, info),
        },
      )
      // Asked first: nearly always a list of the keys of every page would be made for nothing.
      if (!parkedRows.isEmpty) await patiently(() => parkedRows.unpark(settledKeys(records, refused)))
      unsavedRecords = records.length - refused.size
      report.published(unsavedRecords)
    }

    async function park(tooLarge: readonly TooLarge[], changes: readonly Change[]): Promise<void> {
      const refused = tooLarge.map(({ record, reason }) => {
        const { key, version } = changes.find(each => each.key === record.key)!
        return { key, version, reason }
      })
      await patiently(() => parkedRows.park(refused))
      for (const row of refused) report.parked(row)
    }

    return {
      description: table.description,
      stopping,
      overlapMs: options.overlapMs,
      updatedAtStepMicros: table.updatedAtStepMicros,
      rememberedRows: options.rememberedRows,
      pageAfter: (position: Position) =>
        patiently(() => table.pageAfter(position)).then(page => {
          report.read(page.rows.length)
          return page
        }),
      rowsNewerThan: (updatedAt: string) => patiently(() => table.rowsNewerThan(updatedAt)),
      look: (previous: Sample | null) => look(previous, { overlapMs: options.overlapMs, start }),
      recordsOf,
      publish,
      save: (cursor: Position) => (saving = save(cursor)),
      lastSave: () => saving,
      pause: () => pause(options.pollIntervalMs),
      dropped: (rows: number) => report.dropped(rows),
    }
  }

  /** A new look, or the one before when that is not old or nobody can be told now what is open. */
  async function look(previous: Sample | null, premises: Premises): Promise<Sample> {
    for (;;) {
      if (previous !== null && performance.now() < nextLookAtMs) return previous
      const observed = await patiently(() => observeOpenWork(options.mysql))
      failedLooks = observed === null ? failedLooks + 1 : 0
      blindSinceMs = observed === null ? (blindSinceMs ?? performance.now()) : null
      // Of a random length: several that look on the same server must not stay in step.
      const spreadMs = shortestLookIntervalMs * Math.min(2 ** failedLooks, 16)
      nextLookAtMs = performance.now() + shortestLookIntervalMs + Math.random() * spreadMs
      if (observed !== null) {
        const sample = sampleAfter(previous, observed, premises)
        report.looked(sample)
        return sample
      }
      report.lookFailed(failedLooks)
      if (previous !== null) return previous
      await pause(nextLookAtMs - performance.now())
      stopping.throwIfAborted()
    }
  }

  /** Until the database does it; once only when the service stops. */
  async function patiently<T>(task: () => Promise<T>): Promise<T> {
    if (stopping.aborted) return task()
    return retry(task, {
      policy: untilItWorks,
      signal: stopping,
      isRetryable: isRetryableMysqlError,
      onRetry: info => report.databaseAway(info),
    })
  }

  async function pause(ms: number): Promise<void> {
    try {
      await delay(ms, undefined, { signal: stopping })
    } catch (error) {
      if (!stopping.aborted) throw error
    }
  }

  return {
    get seesOpenTransactions() {
      return blindSinceMs === null || performance.now() - blindSinceMs < longestBlindMs
    },
    start() {
      ended = live()
    },
    async stop() {
      stop.abort()
      await ended
    },
  }
}
