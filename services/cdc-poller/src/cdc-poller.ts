/**
 * Lesson: change data capture by polling a table along (updated_at, key).
 * Guarantees: the last state of every row that was ever committed is published, however late its transaction commits; the states of
 * one row in their order; after a crash or a stop, what lies after the low mark again, and nothing is lost.
 * Does not: see a state that is overwritten between two polls, nor a row that is deleted by DELETE, nor publish exactly once.
 *
 * What is visible is published at once, whatever is still open. What may yet appear behind it is read again when it can have appeared
 * (low-mark.ts), and what is known already is dropped (published-versions.ts). So a long transaction delays nobody: it costs a
 * cursor that stays where it began, and one more reading when it ends.
 */
import { lowMark, readAgainFrom } from './low-mark.ts'
import { before, earlier, microsOf } from './position.ts'
import { PublishedVersions } from './published-versions.ts'
import { recordKeyOf } from './row-records.ts'
import { updatedAtOf, versionOf } from './source-table.ts'
import type { Sample } from './low-mark.ts'
import type { Position } from './position.ts'
import type { Page, TableDescription } from './source-table.ts'
import type { OutgoingRecord } from '@kafka-pattern/kafka-config'
import type { Row } from '@kafka-pattern/mysql-config'

/** A row as it was read, and the records that tell of it; null: they are made when they are sent. */
export interface Change {
  readonly row: Row
  /** Of its records. */
  readonly key: string
  readonly version: string
  readonly records: readonly OutgoingRecord[] | null
}

/** What following a table needs; each waits for as long as the database or Kafka is away. */
export interface ChangesTools {
  readonly description: TableDescription
  readonly stopping: AbortSignal
  /** How far behind every look is read again in any case. */
  readonly overlapMs: number
  /** `updated_at` holds no moment between two multiples of it; 1 for DATETIME(6). */
  readonly updatedAtStepMicros: number
  /** Published rows that are remembered at most. */
  readonly rememberedRows: number
  pageAfter(position: Position): Promise<Page>
  /** What is open in the database. May be the same look as before, when that is not old or a new one cannot be had. */
  look(previous: Sample | null): Promise<Sample>
  /** Those that tell of the row, in the order in which they must be stored. */
  recordsOf(row: Row): readonly OutgoingRecord[]
  /** Resolves when all are stored in Kafka. */
  publish(changes: readonly Change[]): Promise<void>
  /** Stores where the next poller begins. */
  save(cursor: Position): Promise<void>
  /** Waits until it is worth to look again. */
  pause(): Promise<void>
  readonly dropped: (rows: number) => void
}

/** In the midst of much to read, a look is taken anew after so long. At the end of it, always. */
const longestRunMs = 2_000

/** No two clocks run alike: the low mark may go back by what the database's loses against this process's. */
const clockSlackMs = 1_000

/** Follows the table from `start` until it is stopped or, by an error, no more the one who should. */
export async function followChanges(start: Position, tools: ChangesTools): Promise<void> {
  const { description, stopping, overlapMs, updatedAtStepMicros } = tools
  const known = new PublishedVersions(tools.rememberedRows)
  const changeOf = (row: Row): Change => {
    const key = recordKeyOf(row, description)
    const version = versionOf(row, description)
    return { row, key, version, records: known.has(key, version) ? null : tools.recordsOf(row) }
  }
  /** The records are made when the page has come: while there is much to read, Kafka is still busy with the page before. */
  const read = (from: Position) =>
    withoutSurprise(
      tools.pageAfter(from).then(({ rows, ...page }) => ({ ...page, changes: rows.map(changeOf) })),
    )

  let position = start
  let sample = await tools.look(null)
  let reading = read(position)
  let saving = Promise.resolve()
  while (!stopping.aborted) {
    const page = await reading
    const goesOn = page.isFull && performance.now() - sample.atMs < longestRunMs
    // The next page is read while this one is published.
    if (goesOn) reading = read(page.end)

    // Once more: what the page before told of a row counts, too.
    const news = page.changes.filter(({ key, version }) => !known.has(key, version))
    await tools.publish(news)
    await saving
    tools.dropped(page.changes.length - news.length)
    const mark = before(lowMark(sample, overlapMs), updatedAtStepMicros)
    const horizon = before(lowMark(sample, overlapMs + clockSlackMs), updatedAtStepMicros)
    for (const { row, key, version } of news) {
      const updatedAt = updatedAtOf(row, description)
      if (updatedAt >= horizon.updatedAt) known.add(key, version, updatedAt)
    }
    position = page.end
    // A page that is not full went to the end of the table: then the mark alone is the limit.
    const upTo = (limit: Position) => (page.isFull ? earlier(position, limit) : limit)
    known.forgetBefore(upTo(horizon).updatedAt)
    // Stored while the next page is published, when there is one: a commit waits for the disk.
    saving = withoutSurprise(tools.save(upTo(mark)))
    if (goesOn) continue

    await saving
    if (!page.isFull) await tools.pause()
    const next = await tools.look(sample)
    if (next !== sample) {
      const again = before(readAgainFrom(sample, next, overlapMs), updatedAtStepMicros)
      position = earlier(position, again)
    }
    sample = next
    reading = read(position)
  }
  await saving
}

/**
 * The low mark that a stored cursor tells of. One with a key is the end of a page, and was stored only because the mark was of a later moment
 * (`earlier`). Taken for a mark itself, it would let who takes over begin the moment anew, again and again if one statement wrote more
 * rows than a poller publishes in its life.
 */
export function markOf({ updatedAt, key }: Position, updatedAtStepMicros: number): number {
  return microsOf(updatedAt) + (key.length > 0 ? updatedAtStepMicros : 0)
}

/** What is awaited later, or not at all when the service stops, may fail meanwhile. */
function withoutSurprise<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
