/** Which partitions of the outbox may go, and which should be there before they are needed. Pure. */

export interface Partition {
  readonly name: string
  /** Holds the numbers below it; null: all that are left. */
  readonly below: number | null
}

export interface RetentionState {
  /** Ascending. */
  readonly partitions: readonly Partition[]
  /** Every row below it is published or parked, in every lane. */
  readonly lowMark: number
  /** The highest number of a row; null: the table is empty. */
  readonly newest: number | null
}

export interface RetentionPlan {
  /** Nothing in them is still to be published. Whether they are old enough is for the table to say. */
  readonly published: readonly Partition[]
  /** The bounds of further partitions, to be split off the last one while that is empty. */
  readonly add: readonly number[]
}

/** So many partitions are ready for new rows. */
const partitionsAhead = 2

export function planRetention(state: RetentionState, partitionRows: number): RetentionPlan {
  const { partitions, lowMark, newest } = state
  const bounded = partitions.filter(isBounded)
  // The newest row stays: by it one can see that the table is the one that the cursors were made for.
  const published = bounded.filter(({ below }) => below <= lowMark && newest !== null && below <= newest)
  return { published, add: boundsToAdd(bounded.at(-1)?.below ?? 0, newest ?? 0, partitionRows) }
}

function boundsToAdd(lastBound: number, newest: number, partitionRows: number): number[] {
  // Rows in the last partition would have to be copied, while writers wait.
  if (newest >= lastBound) return []
  const bounds: number[] = []
  for (let bound = lastBound; bound - newest <= partitionsAhead * partitionRows;) {
    bound += partitionRows
    bounds.push(bound)
  }
  return bounds
}

function isBounded(partition: Partition): partition is Partition & { below: number } {
  return partition.below !== null
}
