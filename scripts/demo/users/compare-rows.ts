/** A row as the client gives it: DATETIME and BIGINT as text, so that equal means equal to the last digit. */
export type UserRow = Record<string, unknown> & { id: string }

/** What is not the same in both, one text for each row; none when they are equal, whatever their order. */
export function compareRows(source: UserRow[], replica: UserRow[]): string[] {
  const copies = new Map(replica.map(row => [row.id, row]))
  const differences: string[] = []
  for (const row of source) {
    const copy = copies.get(row.id)
    copies.delete(row.id)
    if (copy === undefined) {
      differences.push(`${row.id} is missing`)
      continue
    }
    const columns = Object.keys(row).filter(column => row[column] !== copy[column])
    const details = columns.map(column => `${column} ${String(row[column])} is ${String(copy[column])}`)
    if (columns.length > 0) differences.push(`${row.id}: ${details.join(', ')}`)
  }
  for (const id of copies.keys()) differences.push(`${id} is only in the replica`)
  return differences
}
