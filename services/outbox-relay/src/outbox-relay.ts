/**
 * Lesson: a transactional outbox, published exactly once and in order.
 * Guarantees: every committed row becomes one record for read_committed readers, rolled back rows none; the events of an aggregate keep
 * their order, if its writers lock it before they write the event; a transaction that stays open holds up nobody else's
 * rows; several relays share the work, and one that froze and woke up publishes nothing out of turn.
 * Does not: keep an order between aggregates, nor deduplicate for readers that are not read_committed.
 *
 * How: read whatever is visible (outbox-reader.ts), remember what is missing (cursor.ts), and store records and cursor in one Kafka
 * transaction (lane.ts). Which lanes are this relay's, leases say (lane-keeper.ts).
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isOutage } from './outage.ts'
import type { Lane } from './lane.ts'
import type { LaneKeeper } from './lane-keeper.ts'
import type { OutboxReader } from './outbox-reader.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { RelayReport } from './relay-report.ts'
import type { Scan } from './scan.ts'

/** What the relay asks of a lane. */
export type ServedLane = Pick<
  Lane,
  | 'number'
  | 'ahead'
  | 'takesRows'
  | 'busy'
  | 'onTransactionEnd'
  | 'heldUp'
  | 'stopped'
  | 'waitingBytes'
  | 'oldestWaiting'
  | 'offer'
  | 'giveBack'
>

export interface OutboxRelayOptions {
  readonly reader: Pick<OutboxReader, 'read' | 'readFor' | 'forget' | 'examineHoles' | 'ageOf' | 'holes'>
  readonly keeper: Pick<LaneKeeper, 'start' | 'stop' | 'healthy'> & { readonly lanes: readonly ServedLane[] }
  readonly report: Pick<RelayReport, 'state' | 'databaseAway'>
  /** Between two reads that find nothing, at most. */
  readonly pollIntervalMs: number
  /** No read begins while more waits for the transactions before. */
  readonly readAheadBytes: number
  /** Told what cannot be helped: the service should end. */
  readonly onFatal: (error: Error) => void
}

/** But for a backlog, reads follow each other no faster: what comes meanwhile shares a transaction. */
const shortestPauseMs = 4
/** With so many rows a read, long waits come from the load, and with fewer ones from a slow moment of the broker. */
const manyRows = 100
const longestGatherMs = { ofMany: 20, ofFew: 8 }
/** While all lanes publish, it looks so often whether there is another one to read for. */
const lanesIntervalMs = 20
/** How often a fresh picture of the open transactions can be had, and some (open-transactions.ts). */
const examineIntervalMs = 150
const outagePauseMs = 100
const observeIntervalMs = 500
/** A database that answers takes milliseconds. One that has fallen silent says nothing, not even that it is away. */
const silentAfterMs = 3_000

export class OutboxRelay {
  readonly #options: OutboxRelayOptions
  readonly #stopping = new AbortController()
  /** The lanes that the reads are for. */
  readonly #serving = new Set<ServedLane>()
  #loops: Promise<unknown>[] = []
  #reads = false
  /** Of the read that is under way. */
  #readBegunAtMs: number | null = null

  constructor(options: OutboxRelayOptions) {
    this.#options = options
  }

  /** Without a lane there is nothing to read: it stands by. */
  get healthy(): boolean {
    const { keeper } = this.#options
    return keeper.healthy && ((this.#reads && !this.#waitsForAnswer) || keeper.lanes.length === 0)
  }

  get #waitsForAnswer(): boolean {
    return this.#readBegunAtMs !== null && performance.now() - this.#readBegunAtMs > silentAfterMs
  }

  start(): void {
    this.#options.keeper.start()
    this.#loops = [this.#relayRows(), this.#examineHoles(), this.#observe()].map(loop =>
      loop.catch((error: unknown) => {
        if (this.#stopping.signal.aborted) return
        this.#options.onFatal(error instanceof Error ? error : new Error(String(error)))
      }),
    )
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#loops)
    await this.#options.keeper.stop()
  }

  /** The pattern: read what is visible, hand it over to the lanes, and again. */
  async #relayRows(): Promise<void> {
    const { pollIntervalMs } = this.#options
    let pauseMs = shortestPauseMs
    let lastWaitedMs = 0
    for (;;) {
      // With a backlog, and lanes that are faster than the reads, nothing below pauses.
      this.#stopping.signal.throwIfAborted()
      await this.#untilThereIsRoom()
      this.#serveLanes()
      const scan = this.#serving.size === 0 ? null : await this.#read()
      if (scan !== null) this.#handOver(scan)
      if (scan?.more === true) continue
      const waitedMs = await this.#untilOneIsFree()
      const isBusy = waitedMs > 0 || (scan !== null && scan.rows.length > 0)
      pauseMs = isBusy ? shortestPauseMs : Math.min(pauseMs * 2, pollIntervalMs)
      const gatherMs = gatherMsOf(scan?.rows.length ?? 0, waitedMs, lastWaitedMs)
      await this.#pause(Math.max(pauseMs, gatherMs))
      lastWaitedMs = waitedMs
    }
  }

  /**
   * While all lanes publish, a read brings nothing forward: it costs the database, and small transactions cost the broker, as much as
   * large ones. Resolves with how long it waited, in ms.
   */
  async #untilOneIsFree(): Promise<number> {
    const isServed = (lane: ServedLane) => this.#serving.has(lane) || !lane.takesRows
    const allPublish = () =>
      this.#serving.size > 0 &&
      [...this.#serving].every(lane => lane.busy) &&
      this.#options.keeper.lanes.every(isServed)
    if (!allPublish()) return 0
    const sinceMs = performance.now()
    while (allPublish()) await this.#untilTransactionEnd()
    return performance.now() - sinceMs
  }

  /** Of any lane, or until it is time to look at the lanes again. */
  async #untilTransactionEnd(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    // In the place of the one before. A race of promises would leave something behind in each that does not settle, all through an outage.
    for (const lane of this.#serving) lane.onTransactionEnd = resolve
    const timer = setTimeout(resolve, lanesIntervalMs)
    await promise
    clearTimeout(timer)
    this.#stopping.signal.throwIfAborted()
  }

  #handOver(scan: Scan): void {
    const rowsOfLane = Map.groupBy(scan.rows, ({ lane }: OutboxRow) => lane)
    // Every lane learns how far the read has come, those without rows too.
    for (const lane of this.#serving) lane.offer(scan, rowsOfLane.get(lane.number) ?? [])
  }

  /** From now on the reads are also for the lanes that were opened or got on meanwhile, and for ended ones no more. */
  #serveLanes(): void {
    const { keeper, reader } = this.#options
    for (const lane of this.#serving) if (lane.stopped) this.#serving.delete(lane)
    if (this.#serving.size === 0) reader.forget()
    for (const lane of keeper.lanes) {
      if (this.#serving.has(lane) || !lane.takesRows) continue
      reader.readFor(lane.ahead)
      this.#serving.add(lane)
    }
  }

  /**
   * Memory is bounded: nothing more is read while enough waits to be published. A lane that is held up does not hold up the
   * others by that: it gives back what waits, and is served again when it gets on.
   */
  async #untilThereIsRoom(): Promise<void> {
    while (this.#waitingBytes > this.#options.readAheadBytes) {
      for (const lane of this.#serving) {
        if (!lane.heldUp) continue
        lane.giveBack()
        this.#serving.delete(lane)
      }
      await this.#pause(shortestPauseMs)
    }
  }

  /** What waits in a lane that was stopped is never published, and goes with the lane. */
  get #waitingBytes(): number {
    let sum = 0
    for (const lane of this.#serving) if (!lane.stopped) sum += lane.waitingBytes
    return sum
  }

  async #examineHoles(): Promise<void> {
    for (;;) {
      // Of a random length, so that several processes that look at the open transactions do not stay in step.
      await this.#pause(examineIntervalMs * (1 + Math.random()))
      await this.#unlessAway(() => this.#options.reader.examineHoles())
    }
  }

  async #observe(): Promise<void> {
    for (;;) {
      await this.#pause(observeIntervalMs)
      const silent = setTimeout(() => this.#tell(Number.NaN), silentAfterMs)
      try {
        this.#tell(await this.#lagMs())
      } finally {
        clearTimeout(silent)
      }
    }
  }

  #tell(lagMs: number): void {
    const { reader, report, keeper } = this.#options
    const waitingBytes = this.#waitingBytes
    report.state({ lagMs, waitingBytes, holes: reader.holes, lanes: keeper.lanes.length })
  }

  /** NaN while nobody knows: a lane is not open yet, or the database is away. */
  async #lagMs(): Promise<number> {
    const { reader, keeper } = this.#options
    const waiting = keeper.lanes.map(lane => lane.oldestWaiting ?? Number.NaN)
    let lagMs = Number.NaN
    await this.#unlessAway(async () => {
      lagMs = await reader.ageOf(Math.min(...waiting))
    })
    return lagMs
  }

  /** Null after an outage of the database, which is waited out by reading again. */
  async #read(): Promise<Scan | null> {
    this.#readBegunAtMs = performance.now()
    try {
      const scan = await this.#options.reader.read([...this.#serving].map(({ ahead }) => ahead))
      this.#reads = true
      return scan
    } catch (error) {
      if (!isOutage(error)) throw error
      if (this.#reads) this.#options.report.databaseAway(error)
      this.#reads = false
    } finally {
      this.#readBegunAtMs = null
    }
    await this.#pause(outagePauseMs)
    return null
  }

  /** What is done beside the reads, which tell of an outage, comes round again. */
  async #unlessAway(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!isOutage(error)) throw error
    }
  }

  #pause(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: this.#stopping.signal })
  }
}

/**
 * Pure. For how long the next transaction gathers rows: as long as the last two were waited for, the shorter of them. After one that a
 * moment's trouble made long, rows have waited long enough.
 * @param rows of the last read
 */
export function gatherMsOf(rows: number, waitedMs: number, waitedBeforeMs: number): number {
  const longestMs = rows < manyRows ? longestGatherMs.ofFew : longestGatherMs.ofMany
  return Math.min(waitedMs, waitedBeforeMs, longestMs)
}
