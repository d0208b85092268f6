/**
 * The lanes of this relay: takes those that it should have, gives up those that others should, and drops those that it has lost.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Lane } from './lane.ts'
import { isOutage } from './outage.ts'
import type { LaneOptions } from './lane.ts'
import type { LaneLeases } from './lane-leases.ts'
import type { RelayReport } from './relay-report.ts'

export interface LaneKeeperOptions {
  readonly leases: LaneLeases
  readonly laneOptions: (lane: number) => LaneOptions
  readonly report: RelayReport
  /** Between two renewals of the leases. */
  readonly heartbeatMs: number
  readonly onFatal: (error: Error) => void
}

export class LaneKeeper {
  readonly #options: LaneKeeperOptions
  readonly #stopping = new AbortController()
  readonly #work = new Map<number, { lane: Lane; ended: Promise<void> }>()
  readonly #leaving = new Map<number, Promise<void>>()
  #loop: Promise<void> = Promise.resolve()
  #renewed = false

  constructor(options: LaneKeeperOptions) {
    this.#options = options
  }

  /** The leases are known, and every lane of this relay is being published. */
  get healthy(): boolean {
    return this.#renewed && this.lanes.every(lane => lane.healthy)
  }

  get lanes(): readonly Lane[] {
    return Array.from(this.#work.values(), ({ lane }) => lane)
  }

  has(number: number): boolean {
    return this.#work.has(number)
  }

  start(): void {
    this.#loop = this.#keep().catch((error: unknown) => this.#fail(error))
  }

  /** Finishes the transactions that are under way and gives the lanes to the others. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
    for (const lane of this.#work.keys()) this.#giveUp(lane, 'stopping')
    await Promise.all(this.#leaving.values())
    // Without the database nobody can be told: the leases run out by themselves.
    await this.#unlessOutage(() => this.#options.leases.leave())
  }

  async #keep(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#renewed = await this.#unlessOutage(() => this.#round())
      await this.#pause()
    }
  }

  async #round(): Promise<void> {
    const { leases } = this.#options
    const { held, moves } = await leases.renew()
    // Somebody else has them: that relay has shut this one out already, or does so before it publishes anything.
    for (const lane of this.lanes) if (!held.includes(lane.number)) lane.stop()
    for (const lane of moves.release) this.#giveUp(lane, 'others have too few')
    for (const lane of held) if (!moves.release.includes(lane)) this.#take(lane)
    for (const lane of await leases.claim(moves.claim)) this.#take(lane)
    await leases.note(this.lanes)
  }

  #take(number: number): void {
    // What is being given up is about to be released: taken before that, it would be released underneath.
    if (this.#work.has(number) || this.#leaving.has(number)) return
    const lane = new Lane(this.#options.laneOptions(number))
    this.#work.set(number, { lane, ended: this.#run(lane) })
  }

  async #run(lane: Lane): Promise<void> {
    const { report } = this.#options
    try {
      report.laneEnded(lane.number, (await lane.open()) ? await lane.run() : 'lost')
    } catch (error) {
      if (!lane.stopped) this.#fail(error)
    } finally {
      await this.#close(lane)
      this.#work.delete(lane.number)
    }
  }

  async #close(lane: Lane): Promise<void> {
    try {
      await lane.close()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Not awaited by the renewals: a transaction that is under way may take a while. */
  #giveUp(number: number, why: string): void {
    if (this.#leaving.has(number)) return
    const left = this.#leave(number, why).finally(() => this.#leaving.delete(number))
    this.#leaving.set(number, left)
  }

  /** Also a lane that nobody works on: an outage kept its release from the table, or an earlier run of this relay held it. */
  async #leave(number: number, why: string): Promise<void> {
    const work = this.#work.get(number)
    work?.lane.stop()
    await work?.ended
    await this.#unlessOutage(async () => {
      if (work !== undefined) await this.#options.leases.note([work.lane])
      await this.#options.leases.release(number)
      this.#options.report.laneGiven(number, why)
    })
  }

  /** False after an outage of the database; the next round tries again. */
  async #unlessOutage(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      if (isOutage(error)) this.#options.report.leasesUnknown(error)
      else this.#fail(error)
      return false
    }
  }

  #fail(error: unknown): void {
    this.#options.onFatal(error instanceof Error ? error : new Error(String(error)))
  }

  async #pause(): Promise<void> {
    try {
      await delay(this.#options.heartbeatMs, undefined, { signal: this.#stopping.signal })
    } catch (error) {
      if (!this.#stopping.signal.aborted) throw error
    }
  }
}
