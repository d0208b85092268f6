/**
 * The decision that this service is about, without any I/O: how far may the cursor go, and what must be read once more?
 *
 * `updated_at` is fixed when a statement begins, but the row can be read only after its transaction has committed. So a row may
 * appear behind rows that are long read. What can still appear is known from a look at everything that is open in the server
 * (open-transactions.ts): nothing older than the oldest of it.
 */
import { beginning, microsOf } from './position.ts'

/** Something that may still commit rows: an open transaction that has changed rows, or a statement that runs. */
export interface OpenWork {
  readonly kind: 'transaction' | 'statement'
  /** The transaction's number. A statement has none but that of its session. */
  readonly id: string
  /** Of the session, as in the process list; 0 = none, a prepared XA transaction. */
  readonly session: number
  /** None of its rows has an earlier `updated_at`, as far as one look can tell. Microseconds since 1970. */
  readonly since: number
  /** Of a transaction, as the server says it: it stays when its number comes. Empty for a statement. */
  readonly started: string
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
  /** `since`, in the light of the looks before. */
  readonly began: number
  /** No row of it has an earlier `updated_at`. Of a transaction this may be when the statement began that it began with. */
  readonly floor: number
}

/** What a look knows without the one before it. */
export interface Premises {
  /** So far back, in milliseconds, reaches what no look can see: a statement that is not yet in the process list, and clocks. */
  readonly overlapMs: number
  /** The low mark where this poller began: that of the one before it. Microseconds since 1970. */
  readonly start: number
}

const second = 1_000_000

/** Where a first poller begins. To read a whole table twice is too much for what a look may not tell of one transaction. */
const neverRead = microsOf(beginning.updatedAt)

/**
 * A look in the light of the one before it. What that one saw keeps its floor. What it did not see began no earlier than the overlap
 * before it, whatever the server tells: that is in whole seconds, and a transaction may begin long before its first change. So
 * the low mark never goes back, unless the clock does.
 *
 * What looks new may be what was seen before in another shape, and has its floor then: a transaction gets its number with its first
 * change; the statement that runs in it may have waited before it began (LOCK TABLES, a schema change), seen or not; one that is
 * prepared (XA) loses its session, and its beginning when the server restarts.
 */
export function sampleAfter(previous: Sample | null, observed: Observation, premises: Premises): Sample {
  const past = previous?.work ?? []
  const earliest = previous === null ? Infinity : clockSince(previous, observed)
  const unseenSince =
    previous === null ? trustedStart(premises, observed) : earliest - premises.overlapMs * 1000

  const seen = observed.work.map(open => {
    const known = past.find(each => isContinued(each, open))
    const isPrepared = open.session === 0
    const perhapsItself = past.filter(({ session }) => isPrepared || session === open.session)
    const notBefore = Math.min(unseenSince, ...perhapsItself.map(({ floor }) => floor))
    const since = isPrepared ? notBefore : Math.max(open.since, notBefore)
    return { ...open, known, began: Math.min(known?.began ?? since, earliest) }
  })
  const statements = [...past, ...seen].filter(({ kind }) => kind === 'statement')
  const work = seen.map(({ known, ...open }) => {
    if (known !== undefined) return { ...open, floor: Math.min(known.floor, open.began) }
    const waited = statements.filter(({ session }) => session === open.session)
    const unnumbered = past.filter(
      each => open.kind === 'transaction' && each.session === open.session && each.started === open.started,
    )
    const floors = [...waited.map(({ began }) => began), ...unnumbered.map(({ floor }) => floor)]
    // Its first statement may have waited, and then its rows are older than the transaction. How long, no look tells: the statement began
    // after what the look before would have seen of it, that is all.
    if (open.kind === 'transaction' && unseenSince > neverRead) floors.push(unseenSince)
    return { ...open, floor: Math.min(open.began, ...floors) }
  })
  return { ...observed, work }
}

/** A mark that the clock has not reached yet is from before a step back, and says nothing. */
function trustedStart({ overlapMs, start }: Premises, { now }: Observation): number {
  return start <= now - overlapMs * 1000 ? start : 0
}

/** The low mark: no row with an earlier `updated_at` can appear any more, if everything is read once after this look. */
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
function clockSince(previous: Sample, current: Observation): number {
  return Math.min(previous.now, current.now - (current.askedAtMs - previous.atMs) * 1000)
}

/** A statement is known by its session and the time of its beginning, which is told in whole seconds and so wavers by less than one. */
function isContinued(past: OpenWork, open: OpenWork): boolean {
  if (past.kind !== open.kind || past.id !== open.id) return false
  return past.kind === 'transaction' || Math.abs(past.since - open.since) < second
}
