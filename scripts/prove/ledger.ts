/** What became of the changes that took one way: those that were committed against those that others could see. Pure. */
export type Ledger = { way: string; changes: number; seen: number; lost: number; invented: number }

/** By the way that the changes took. */
export type Predicted = Record<string, Pick<Ledger, 'lost' | 'invented'>>

/**
 * @param committed the ids of the rows that the database has
 * @param arrived those of the records, however often they came
 */
export function ledgerOf(way: string, committed: Iterable<string>, arrived: Iterable<string>): Ledger {
  const [rows, records] = [new Set(committed), new Set(arrived)]
  const lost = [...rows].filter(id => !records.has(id)).length
  const invented = [...records].filter(id => !rows.has(id)).length
  return { way, changes: rows.size, seen: rows.size - lost, lost, invented }
}

/** Of each way that was predicted, and of no other. */
export function isAsPredicted(ledgers: Ledger[], predicted: Predicted): boolean {
  return (
    ledgers.length === Object.keys(predicted).length &&
    ledgers.every(
      ({ way, lost, invented }) => predicted[way]?.lost === lost && predicted[way].invented === invented,
    )
  )
}
