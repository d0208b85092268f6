/** What the relay says about its work: log lines and metrics. */
import { Counter, Gauge } from 'prom-client'
import type { Cursor } from './cursor.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { ParkedRow } from './parking.ts'
import type { Logger, ServiceMetrics } from '@kafka-pattern/service-runtime'

/** Summed up, so that a busy relay does not write a line for each of its hundreds of transactions a second. */
const summaryIntervalMs = 1_000

export interface RelayReport {
  laneTaken(lane: number, cursor: Cursor): void
  laneEnded(lane: number, how: 'stopped' | 'lost'): void
  laneGiven(lane: number, why: string): void
  published(lane: number, rows: readonly OutboxRow[], cursor: Cursor): void
  parked(row: OutboxRow, parked: ParkedRow): void
  transactionFailed(lane: number, error: unknown, failures: number): void
  waiting(lane: number, info: { attempt: number; delayMs: number; error: unknown }): void
  databaseAway(error: unknown): void
  leasesUnknown(error: unknown): void
  /** What is known now and then: the age of the oldest unpublished row (or NaN), what is read and waits, the holes, the lanes of this relay. */
  state(now: { lagMs: number; waitingBytes: number; holes: number; lanes: number }): void
  stop(): void
}

export function createRelayReport(logger: Logger, metrics: Pick<ServiceMetrics, 'registry'>): RelayReport {
  const registers = [metrics.registry]
  const published = new Counter({
    name: 'outbox_relay_published_total',
    help: 'Rows published',
    labelNames: ['topic'],
    registers,
  })
  // Not by aggregate type: one that no topic can be named after may be any text, and each would be a series.
  const parked = new Counter({
    name: 'outbox_relay_parked_total',
    help: 'Rows put aside in relay_parked',
    registers,
  })
  const lag = new Gauge({
    name: 'outbox_relay_lag_seconds',
    help: 'Age of the oldest row not published in the lanes of this relay; NaN while it is not known',
    registers,
  })
  lag.set(Number.NaN)
  const waitingBytes = new Gauge({
    name: 'outbox_relay_waiting_bytes',
    help: 'Rows that are read and wait for the transaction before theirs',
    registers,
  })
  const holes = new Gauge({
    name: 'outbox_relay_holes',
    help: 'Numbers below the high mark whose rows may still come',
    registers,
  })
  const lanesOwned = new Gauge({
    name: 'outbox_relay_lanes_owned',
    help: 'Lanes of this relay',
    registers,
  })

  let sum = { records: 0, transactions: 0, high: 0, lanes: new Set<number>() }
  function summarize(): void {
    if (sum.records === 0) return
    const { records, transactions, high, lanes } = sum
    sum = { records: 0, transactions: 0, high: 0, lanes: new Set() }
    logger.info(
      { lanes: [...lanes].toSorted((a, b) => a - b), records, transactions, high },
      'events published',
    )
  }
  const timer = setInterval(summarize, summaryIntervalMs)

  return {
    laneTaken: (lane, { high, holes: open }) => logger.info({ lane, high, holes: open.length }, 'lane taken'),
    laneEnded(lane, how) {
      if (how === 'lost') logger.warn({ lane }, 'lane lost')
    },
    laneGiven: (lane, why) => logger.info({ lane, why }, 'lane given up'),
    published(lane, rows, cursor) {
      if (rows.length === 0) return
      sum.records += rows.length
      sum.transactions++
      sum.high = Math.max(sum.high, cursor.high)
      sum.lanes.add(lane)
      let from = 0
      for (let i = 1; i <= rows.length; i++) {
        const { topic } = rows[from]!.record
        if (i < rows.length && rows[i]!.record.topic === topic) continue
        published.inc({ topic }, i - from)
        from = i
      }
    },
    parked({ seq, id, aggregatetype, aggregateid }, { reason, attempts }) {
      parked.inc()
      logger.error({ seq, id, aggregatetype, aggregateid, reason, attempts }, 'row parked')
    },
    transactionFailed: (lane, error, failures) =>
      logger[failures === 1 ? 'warn' : 'debug'](
        { lane, err: error, failures },
        'transaction failed, begun anew',
      ),
    waiting: (lane, { attempt, delayMs, error }) =>
      logger[attempt === 2 ? 'warn' : 'debug'](
        { lane, attempt, delayMs, reason: messageOf(error) },
        'waiting for Kafka or MySQL',
      ),
    databaseAway: error => logger.warn({ reason: messageOf(error) }, 'the outbox cannot be read'),
    leasesUnknown: error => logger.debug({ reason: messageOf(error) }, 'the leases cannot be renewed'),
    state(now) {
      lag.set(now.lagMs / 1_000)
      waitingBytes.set(now.waitingBytes)
      holes.set(now.holes)
      lanesOwned.set(now.lanes)
    },
    stop() {
      clearInterval(timer)
      summarize()
    },
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
