import { Counter, Gauge } from 'prom-client'
import { microsOf } from './position.ts'
import type { ParkedRow } from './parked-rows.ts'
import type { Sample } from './low-mark.ts'
import type { Position } from './position.ts'
import type { Lease } from './cursor-lease.ts'
import type { RetryInfo } from '@kafka-pattern/retry'
import type { Logger, ServiceMetrics } from '@kafka-pattern/service-runtime'

/** What the poller does, told as it happens. It watches only: nothing here decides anything. */
export interface PollerReport {
  standsBy(): void
  took(lease: Lease): void
  gaveUp(reason: unknown): void
  looked(sample: Sample): void
  /** Others read innodb_trx so often that it was not filled anew, for the so many-th time in a row. */
  lookFailed(times: number): void
  read(rows: number): void
  published(records: number): void
  /** Kafka does not take its record, and waiting does not help. */
  parked(row: ParkedRow): void
  dropped(rows: number): void
  /** Everything before is published; not stored, because no record was published since the cursor was. */
  reached(cursor: Position): void
  /** @param records that were published since it was saved before */
  saved(cursor: Position, records: number): void
  databaseAway(info: RetryInfo): void
  kafkaAway(records: number, info: RetryInfo): void
}

/** Reports to the log and to the metrics. */
export function createPollerReport(
  { table, topic }: { table: string; topic: string },
  logger: Logger,
  metrics: ServiceMetrics,
): PollerReport {
  const registers = [metrics.registry]
  const rowsRead = new Counter({
    name: 'cdc_rows_read_total',
    help: 'Rows read from the table, those read again too',
    labelNames: ['table'],
    registers,
  })
  const rowsDropped = new Counter({
    name: 'cdc_rows_known_total',
    help: 'Rows that were read again and had been published already',
    labelNames: ['table'],
    registers,
  })
  const rowsParked = new Counter({
    name: 'cdc_rows_parked_total',
    help: 'States of rows that are too large for Kafka, noted in poller_parked',
    labelNames: ['table'],
    registers,
  })
  const working = new Gauge({
    name: 'cdc_working',
    help: '1 while this poller works, 0 while it stands by for another one',
    labelNames: ['table'],
    registers,
  })
  let cursor: Position | null = null
  let sample: Sample | null = null
  const age = new Gauge({
    name: 'cdc_cursor_age_seconds',
    help: 'How far the cursor lies behind the clock of the database; only of the poller that works',
    labelNames: ['table'],
    registers,
    collect() {
      age.reset()
      if (cursor === null || sample === null) return
      const now = sample.now + (performance.now() - sample.atMs) * 1000
      age.set({ table }, Math.max(0, now - microsOf(cursor.updatedAt)) / 1_000_000)
    },
  })
  working.set({ table }, 0)
  rowsRead.inc({ table }, 0)
  rowsDropped.inc({ table }, 0)
  rowsParked.inc({ table }, 0)

  return {
    standsBy() {
      logger.info({ table, topic }, 'standing by: another poller works')
    },
    took(lease) {
      cursor = lease.cursor
      working.set({ table }, 1)
      logger.info({ table, topic, epoch: lease.epoch, cursor: lease.cursor }, 'working')
    },
    gaveUp(reason) {
      cursor = null
      working.set({ table }, 0)
      logger.warn({ table, topic, reason: reasonOf(reason) }, 'no longer working')
    },
    looked(taken) {
      sample = taken
    },
    lookFailed(times) {
      // A few are how several readers of it get along.
      logger[times % 20 === 0 ? 'warn' : 'debug'](
        { table, times },
        'open transactions cannot be seen: others read information_schema.innodb_trx more often than every 100 ms; the cursor waits',
      )
    },
    read(rows) {
      rowsRead.inc({ table }, rows)
    },
    published(records) {
      metrics.recordsTotal.inc({ topic, outcome: 'acknowledged' }, records)
    },
    parked({ key, version, reason }) {
      rowsParked.inc({ table })
      logger.error({ table, topic, key, version, reason }, 'row too large')
    },
    dropped(rows) {
      rowsDropped.inc({ table }, rows)
    },
    reached(reached) {
      cursor = reached
    },
    saved(saved, records) {
      cursor = saved
      if (records > 0) logger.info({ table, topic, records, cursor }, 'changes published')
    },
    databaseAway({ attempt, delayMs, error }) {
      // The first of a series is news, the rest is the same outage.
      logger[attempt === 1 ? 'warn' : 'debug'](
        { table, attempt, delayMs, reason: reasonOf(error) },
        'the database does not do it, trying on',
      )
    },
    kafkaAway(records, { attempt, delayMs, error }) {
      logger.warn(
        { topic, records, attempt, delayMs, reason: reasonOf(error) },
        'Kafka does not take the changes, trying on',
      )
    },
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
