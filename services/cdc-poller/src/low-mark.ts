/**
 * The decision that this service is about, without any I/O: how far may the cursor go, and what must be read once more?
 *
 * `updated_at` is fixed when a statement begins, but the row can be read only after its transaction has committed. So a row may
 * appear behind rows that are long read. What can still appear is known from a look at everything that is open in the server
 * (open-transactions.ts): nothing older than the oldest of it.
 */

/** Something that may still commit rows: an open transaction that has changed rows, or a statement that runs. */
export interface OpenWork {
  readonly kind: 'transaction' | 'statement'
  /** The transaction's number. A statement has none but that of its session. */
  readonly id: string
  /** Of the session, as in the process list; 0 = none, a prepared XA transaction. */
  readonly session: number
  /** None of its rows has an earlier `updated_at`, as far as one look can tell. Microseconds since 1970. */
  readonly since: number
}

/** What one look saw. */
export interface Observation {
  /** The database's clock, read before the look. Microseconds since 1970. */
  readonly now: number
  /** When it was asked for and when it answered, on this process's own clock, which never steps. Milliseconds. */
  readonly askedAtMs: number
  readonly atMs: number
  readonly work: readonly OpenWork[]
}

/** What is known after a look, with what the looks before it knew. */
export interface Sample extends Observation {
  readonly work: readonly KnownWork[]
}

interface KnownWork extends OpenWork {
  /** Like `since`, but with what earlier looks knew of it. */
  readonly floor: number
}

const second = 1_000_000

/**
 * A look in the light of the one before it. A transaction keeps the lowest floor that it ever had; a new one takes over that of the
 * statement which ran in its session: it may have waited long (LOCK TABLES, a schema change) before the transaction began.
 */
export function sampleAfter(previous: Sample | null, observed: Observation): Sample {
  const work = observed.work.map(open => {
    const known = previous === null ? [] : previous.work.filter(earlierLook => isContinued(earlierLook, open))
    const floors = known.map(({ floor }) => floor)
    const statements = [...(previous?.work ?? []), ...observed.work].filter(
      ({ kind, session }) => kind === 'statement' && session === open.session && session !== 0,
    )
    const waited = known.length === 0 ? statements.map(({ since }) => since) : []
    return { ...open, floor: Math.min(open.since, clockSince(previous, observed), ...floors, ...waited) }
  })
  return { ...observed, work }
}

/**
 * The low mark: no row with an earlier `updated_at` can appear any more, if everything is read once after this look. `overlapMs`
 * is for what no look can see: a statement that began but is not yet in the process list, and clocks.
 */
export function lowMark(sample: Sample, overlapMs: number): number {
  return Math.min(sample.now - overlapMs * 1000, ...sample.work.map(({ floor }) => floor))
}

/**
 * From where rows may have appeared behind what was read between these two looks: those of the work that has ended, and those of
 * whatever began and ended in between. What is open in both looks has shown nothing yet; so a transaction costs one reading when it
 * ends, however long it was open.
 */
export function readAgainFrom(previous: Sample, current: Sample, overlapMs: number): number {
  const ended = previous.work.filter(past => !current.work.some(open => isContinued(past, open)))
  return Math.min(clockSince(previous, current) - overlapMs * 1000, ...ended.map(({ floor }) => floor))
}

/**
 * The earliest time that the database's clock has shown since the look before: it may have stepped back in between. A step that is shorter
 * than an answer takes is not noticed; it is within the overlap.
 */
function clockSince(previous: Sample | null, current: Observation): number {
  if (previous === null) return Infinity
  return Math.min(previous.now, current.now - (current.askedAtMs - previous.atMs) * 1000)
}

/** A statement is known by its session and the time of its beginning, which is told in whole seconds and so wavers by less than one. */
function isContinued(past: OpenWork, open: OpenWork): boolean {
  if (past.kind !== open.kind || past.id !== open.id) return false
  return past.kind === 'transaction' || Math.abs(past.since - open.since) < second
}
