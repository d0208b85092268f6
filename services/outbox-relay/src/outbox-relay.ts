/**
 * Lesson: a transactional outbox, published exactly once and in order.
 * Guarantees: every committed row becomes one record for read_committed readers, rolled back rows none; the events of an aggregate keep
 * their order, if its writers lock it before they write the event; a transaction that stays open holds up nobody else's
 * rows; several relays share the work, and one that froze and woke up publishes nothing out of turn.
 * Does not: keep an order between aggregates, nor deduplicate for readers that are not read_committed.
 *
 * How: read whatever is visible (outbox-reader.ts), remember what is missing (cursor.ts), and store records and cursor in one Kafka
 * transaction (lane.ts).
 */
import { setTimeout as delay } from 'node:timers/promises'
import { requireEnd } from './committed-cursors.ts'
import { Lane } from './lane.ts'
import { newestSeq } from './outbox-reader.ts'
import { isOutage } from './until-it-works.ts'
import type { Cursor } from './cursor.ts'
import type { LaneOptions } from './lane.ts'
import type { LaneLeases } from './lane-leases.ts'
import type { OutboxReader } from './outbox-reader.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { RelayReport } from './relay-report.ts'
import type { Scan } from './scan.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

export interface OutboxRelayOptions {
  readonly mysql: Mysql
  readonly reader: OutboxReader
  readonly leases: LaneLeases
  readonly laneOptions: (lane: number) => LaneOptions
  readonly report: RelayReport
  /** Between two reads that find nothing, at most. */
  readonly pollIntervalMs: number
  /** Read and not yet published, at most; a read may exceed it once. */
  readonly readAheadBytes: number
  /** Between two renewals of the leases. */
  readonly heartbeatMs: number
  /** Told what cannot be helped: the service should end. */
  readonly onFatal: (error: Error) => void
}

/** Reads follow each other no faster: what comes meanwhile shares a transaction. */
const shortestPauseMs = 2
/** How often a fresh picture of the open transactions can be had, and some (open-transactions.ts). */
const examineIntervalMs = 150

export class OutboxRelay {
  readonly #options: OutboxRelayOptions
  readonly #stopping = new AbortController()
  /** All lanes of this relay, and the end of their work. */
  readonly #lanes = new Map<number, { lane: Lane; ended: Promise<void> }>()
  /** Those that the reader reads for. */
  readonly #reading = new Map<number, Lane>()
  #opened: { lane: Lane; cursor: Cursor }[] = []
  #loops: Promise<unknown>[] = []
  #databaseAnswers = false

  constructor(options: OutboxRelayOptions) {
    this.#options = options
  }

  /** The lanes of this relay are being published, or it has none because others have them all. */
  get healthy(): boolean {
    return this.#databaseAnswers && [...this.#lanes.values()].every(({ lane }) => lane.healthy)
  }

  has(lane: number): boolean {
    return this.#lanes.has(lane)
  }

  start(): void {
    const { onFatal } = this.#options
    this.#loops = [this.#relayRows(), this.#examineHoles(), this.#keepLeases()].map(loop =>
      loop.catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) onFatal(error instanceof Error ? error : new Error(String(error)))
      }),
    )
  }

  /** Finishes the transactions that are under way and gives the lanes to the others. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#loops)
    try {
      await Promise.all(Array.from(this.#lanes.keys(), lane => this.#giveUp(lane, 'stopping')))
      await this.#options.leases.leave()
    } catch (error) {
      // Without the database nobody can be told: the leases run out by themselves.
      if (!isOutage(error)) throw error
    }
  }

  /** The pattern: read, hand over to the lanes, and again. */
  async #relayRows(): Promise<void> {
    const { reader, pollIntervalMs } = this.#options
    let pauseMs = shortestPauseMs
    for (;;) {
      await this.#roomToRead()
      this.#readForOpened()
      const scan = this.#reading.size === 0 ? null : await this.#whenAnswered(() => reader.read())
      if (scan !== null) this.#handOver(scan)
      const found = scan !== null && scan.rows.length > 0
      pauseMs = found ? shortestPauseMs : Math.min(pauseMs * 2, pollIntervalMs)
      if (scan?.more !== true) await this.#pause(pauseMs)
    }
  }

  #handOver(scan: Scan): void {
    const rowsOf = new Map<number, OutboxRow[]>()
    for (const row of scan.rows) {
      const rows = rowsOf.get(row.lane)
      if (rows === undefined) rowsOf.set(row.lane, [row])
      else rows.push(row)
    }
    // Every lane learns how far the read has come, those without rows too.
    for (const [number, lane] of this.#reading) lane.offer(scan, rowsOf.get(number) ?? [])
  }

  /** Lanes that were taken meanwhile: from now on the reads serve them too. */
  #readForOpened(): void {
    for (const { lane, cursor } of this.#opened) {
      this.#options.reader.readFor(cursor)
      this.#reading.set(lane.number, lane)
    }
    this.#opened = []
    for (const [number, lane] of this.#reading) {
      if (this.#lanes.get(number)?.lane !== lane) this.#reading.delete(number)
    }
    if (this.#reading.size === 0) this.#options.reader.forget()
  }

  /** Memory is bounded: nothing more is read while enough waits to be published. */
  async #roomToRead(): Promise<void> {
    const waitingBytes = (): number =>
      [...this.#reading.values()].reduce((sum, lane) => sum + lane.waitingBytes, 0)
    while (waitingBytes() > this.#options.readAheadBytes) await this.#pause(shortestPauseMs)
  }

  async #examineHoles(): Promise<void> {
    for (;;) {
      // Of a random length, so that several processes that look at the open transactions do not stay in step.
      await this.#pause(examineIntervalMs * (1 + Math.random()))
      await this.#whenAnswered(() => this.#options.reader.examineHoles())
    }
  }

  async #keepLeases(): Promise<void> {
    const { leases, heartbeatMs } = this.#options
    for (;;) {
      await this.#whenAnswered(async () => {
        const { held, moves } = await leases.renew()
        for (const lane of this.#lanes.keys()) if (!held.includes(lane)) this.#lose(lane)
        for (const lane of moves.release) await this.#giveUp(lane, 'others have too few')
        for (const lane of held) if (!moves.release.includes(lane)) this.#take(lane)
        for (const lane of moves.claim) if (await leases.claim(lane)) this.#take(lane)
        for (const { lane } of this.#lanes.values()) await leases.note(lane.number, lane.publishedUpTo)
        await this.#observe()
      })
      await this.#pause(heartbeatMs)
    }
  }

  #take(number: number): void {
    if (this.#lanes.has(number)) return
    const lane = new Lane(this.#options.laneOptions(number))
    this.#lanes.set(number, { lane, ended: this.#work(lane) })
  }

  async #work(lane: Lane): Promise<void> {
    const { report, onFatal } = this.#options
    try {
      const cursor = await lane.open()
      this.#opened.push({ lane, cursor })
      report.laneGiven(lane.number, await lane.run())
    } catch (error) {
      if (!lane.stopped) onFatal(error instanceof Error ? error : new Error(String(error)))
    } finally {
      await lane.close()
      if (this.#lanes.get(lane.number)?.lane === lane) this.#lanes.delete(lane.number)
    }
  }

  /** Somebody else has it: that relay has shut this one out already, or does so before it publishes anything. */
  #lose(number: number): void {
    this.#lanes.get(number)?.lane.stop()
  }

  async #giveUp(number: number, why: string): Promise<void> {
    const work = this.#lanes.get(number)
    work?.lane.stop()
    await work?.ended
    await this.#options.leases.note(number, work?.lane.publishedUpTo ?? null)
    await this.#options.leases.release(number)
    this.#options.report.laneGiven(number, why)
  }

  async #observe(): Promise<void> {
    const { reader, report, mysql } = this.#options
    const { high } = reader
    requireEnd(await newestSeq(mysql), high)
    const waiting = Array.from(this.#reading.values(), lane => lane.oldestWaiting)
    const oldest = Math.min(...waiting.map(seq => seq ?? Infinity))
    report.state({ lagMs: await reader.ageOf(oldest), holes: reader.holes, lanes: this.#lanes.size })
  }

  /** Null after an outage of the database, which is waited out by calling again. */
  async #whenAnswered<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      const result = await work()
      this.#databaseAnswers = true
      return result
    } catch (error) {
      if (!isOutage(error)) throw error
      if (this.#databaseAnswers) this.#options.report.waiting('database', { attempt: 2, delayMs: 100, error })
      this.#databaseAnswers = false
      await this.#pause(100)
      return null
    }
  }

  #pause(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: this.#stopping.signal })
  }
}
