/** Who should have which lanes. Pure. */

export interface LaneState {
  readonly lane: number
  /** null: nobody's, or of somebody whose lease has run out. */
  readonly holder: string | null
}

export interface LaneMoves {
  /** To give up: others are to have as many. */
  readonly release: readonly number[]
  /** To try to take: they are nobody's. */
  readonly claim: readonly number[]
}

/**
 * What a relay does towards equal shares: it gives up what it has too much and takes of what is free as much as it lacks. All relays
 * decide this by themselves from the same tables, so a lane is only ever given, never taken away from one that is alive.
 * @param relays all that are alive, this one among them
 */
export function movesOf(relay: string, lanes: readonly LaneState[], relays: readonly string[]): LaneMoves {
  const mine = lanes.filter(({ holder }) => holder === relay).map(({ lane }) => lane)
  const free = lanes.filter(({ holder }) => holder === null).map(({ lane }) => lane)
  const share = shareOf(relay, lanes.length, relays)
  return { release: mine.slice(share), claim: free.slice(0, Math.max(0, share - mine.length)) }
}

/** The remainder goes to the first by name. */
function shareOf(relay: string, laneCount: number, relays: readonly string[]): number {
  const sorted = relays.toSorted()
  const rank = sorted.indexOf(relay)
  if (rank < 0) return 0
  return Math.floor(laneCount / sorted.length) + (rank < laneCount % sorted.length ? 1 : 0)
}
