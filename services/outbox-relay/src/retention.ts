/**
 * Old rows leave with their partition, at once and without a trace in the undo log. Only what every lane has passed goes: the cursors that
 * count are those that Kafka has committed.
 *
 * ALTER TABLE waits for the open transactions that have touched the outbox, and all writers wait behind it. So it is given up after a
 * second, and put off while a transaction has been open for a while. Which tables that one has touched is not told by both servers: it may
 * be a report that runs all night elsewhere, so it is not put off for ever.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { lowMarkOf } from './cursor.ts'
import { ForeignCursorError } from './cursor-text.ts'
import { planRetention } from './retention-plan.ts'
import { MismatchError, newestSeq } from './outbox-end.ts'
import { isOutage } from './outage.ts'
import type { CommittedCursors } from './committed-cursors.ts'
import type { Partition, RetentionState } from './retention-plan.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { Logger } from '@kafka-pattern/service-runtime'

export interface RetentionOptions {
  readonly mysql: Mysql
  readonly cursors: Pick<CommittedCursors, 'read'>
  readonly logger: Logger
  readonly retentionHours: number
  readonly partitionRows: number
  readonly checkMs: number
  /** One relay does it for all. */
  readonly isMine: () => boolean
  readonly onFatal: (error: Error) => void
}

const lastPartition = 'pmax'
/** Whole seconds are what both servers take. */
const lockWaitSeconds = 1
/** Checks in a row that put a change off; the next one tries it. */
const mostPutOff = 10

export class Retention {
  readonly #options: RetentionOptions
  readonly #stopping = new AbortController()
  #loop: Promise<void> = Promise.resolve()
  #putOff = 0

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  start(): void {
    this.#loop = this.#keepTidy().catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) {
        this.#options.onFatal(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
  }

  async #keepTidy(): Promise<void> {
    const { checkMs, isMine, logger } = this.#options
    for (;;) {
      await delay(checkMs, undefined, { signal: this.#stopping.signal })
      if (!isMine()) continue
      try {
        await this.#tidyUp()
      } catch (error) {
        if (this.#stopping.signal.aborted || isOfAnotherTable(error)) throw error
        // The rows are published all the same. What does not pass by itself (too many partitions, a full disk) a person must see to.
        const level = isOutage(error) || isChangedByOthers(error) ? 'info' : 'error'
        logger[level]({ err: error }, 'partitions are left as they are for now')
      }
    }
  }

  async #tidyUp(): Promise<void> {
    const { logger, partitionRows, mysql } = this.#options
    const state = await this.#state()
    const { published, add } = planRetention(state, partitionRows)
    const old: string[] = []
    for (const { name } of published) {
      // The rows after a young one are younger.
      if (!(await this.#isOld(name))) break
      old.push(name)
    }
    const last = state.partitions.at(-1)
    if (last?.name === lastPartition && add.length === 0 && holdsRows(state)) {
      const rowsFrom = state.partitions.at(-2)?.below ?? 0
      logger.error(
        { rowsFrom, newest: state.newest },
        `${lastPartition} holds rows: split it by hand, or it never leaves`,
      )
    }
    const splittable = last?.name === lastPartition ? add : []
    if (old.length === 0 && splittable.length === 0) return
    if (this.#putOff < mostPutOff && (await hasLongTransaction(mysql))) {
      this.#putOff++
      return
    }
    this.#putOff = 0
    if (splittable.length > 0) {
      const partitions = splittable.map(bound => `PARTITION p${bound} VALUES LESS THAN (${bound})`)
      await alterOutbox(
        mysql,
        `REORGANIZE PARTITION ${lastPartition} INTO (${partitions.join(', ')}, PARTITION ${lastPartition} VALUES LESS THAN MAXVALUE)`,
      )
      logger.info({ below: splittable }, 'partitions added')
    }
    if (old.length > 0) {
      await alterOutbox(mysql, `DROP PARTITION ${old.map(name => `\`${name}\``).join(', ')}`)
      logger.info({ partitions: old, lowMark: state.lowMark }, 'partitions dropped')
    }
  }

  async #state(): Promise<RetentionState> {
    const { mysql, cursors } = this.#options
    const committed = await cursors.read(this.#stopping.signal)
    const partitions = await mysql.rows<{ name: string | null; below: string }>(
      `SELECT PARTITION_NAME AS name, PARTITION_DESCRIPTION AS below FROM information_schema.partitions
       WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'outbox' ORDER BY PARTITION_ORDINAL_POSITION`,
    )
    return {
      lowMark: Math.min(...committed.map(lowMarkOf)),
      partitions: partitions.flatMap(({ name, below }): Partition[] =>
        name === null ? [] : [{ name, below: below === 'MAXVALUE' ? null : Number(below) }],
      ),
      newest: await newestSeq(mysql),
    }
  }

  async #isOld(partition: string): Promise<boolean> {
    const { mysql, retentionHours } = this.#options
    const rows = await mysql.rows<{ old: number | string }>(
      `SELECT created_at < NOW(6) - INTERVAL ? HOUR AS old FROM outbox PARTITION (\`${partition}\`) ORDER BY seq DESC LIMIT 1`,
      [retentionHours],
    )
    return Number(rows[0]?.old ?? 1) === 1
  }
}

/** Then nothing can be said to be published. */
function isOfAnotherTable(error: unknown): boolean {
  return error instanceof MismatchError || error instanceof ForeignCursorError
}

/** A relay that took itself for the first did the same at the same time: the next check sees what is left to do. */
function isChangedByOthers(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && changedByOthers.has(error.errno)
}

const changedByOthers = new Set<unknown>([
  1493, // ER_RANGE_NOT_INCREASING_ERROR
  1507, // ER_DROP_PARTITION_NON_EXISTENT
  1517, // ER_SAME_NAME_PARTITION
  1735, // ER_UNKNOWN_PARTITION
])

/** Rows have come faster than partitions were added for them. */
function holdsRows({ partitions, newest }: RetentionState): boolean {
  return newest !== null && newest >= (partitions.at(-2)?.below ?? 0)
}

/** One that began more than two seconds before this look's own. */
async function hasLongTransaction(mysql: Mysql): Promise<boolean> {
  return mysql.withConnection(async connection => {
    await connection.write('START TRANSACTION WITH CONSISTENT SNAPSHOT')
    const [found] = await connection.rows<{ open: number | string }>(
      `SELECT COUNT(*) AS open FROM information_schema.innodb_trx,
         (SELECT MAX(trx_started) AS started FROM information_schema.innodb_trx) AS newest
       WHERE trx_started < newest.started - INTERVAL 2 SECOND`,
    )
    await connection.write('COMMIT')
    return Number(found?.open ?? 0) > 0
  })
}

async function alterOutbox(mysql: Mysql, change: string): Promise<void> {
  await mysql.withConnection(async connection => {
    await connection.write('SET @before = @@SESSION.lock_wait_timeout')
    await connection.write(`SET SESSION lock_wait_timeout = ${lockWaitSeconds}`)
    await connection.write(`ALTER TABLE outbox ${change}`)
    await connection.write('SET SESSION lock_wait_timeout = @before')
  })
}
