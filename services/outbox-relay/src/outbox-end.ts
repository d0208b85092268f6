/** The numbers of the table: they have no gaps but those of transactions, and end where the rows end. */
import { exitCodes } from '@kafka-pattern/service-runtime'
import { seqOf } from './outbox-row.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

/** What was set up does not belong together. Its message is for the person who starts the service. */
export class MismatchError extends Error {
  readonly exitCode = exitCodes.badSettings
  constructor(message: string) {
    super(message)
    this.name = 'MismatchError'
  }
}

/** The highest number of a row, or null when there is none. */
export async function newestSeq(mysql: Mysql): Promise<number | null> {
  const [newest] = await mysql.rows<{ seq: string | null }>('SELECT MAX(seq) AS seq FROM outbox')
  return newest?.seq == null ? null : seqOf(newest.seq)
}

/** @throws MismatchError */
export function requireEnd(newest: number | null, publishedUpTo: number): void {
  if (newest === null || newest >= publishedUpTo) return
  throw new MismatchError(
    `the outbox ends at ${newest}, but it is published up to ${publishedUpTo}: it was emptied or restored, and new rows would be taken for published ones; set its AUTO_INCREMENT above ${publishedUpTo}, or DELETE FROM relay_leases and give the relay a new RELAY_NAME and KAFKA_CURSOR_TOPIC to begin anew`,
  )
}

/** @throws MismatchError when every number that the server leaves out would be a hole */
export async function requireDenseNumbers(mysql: Mysql): Promise<void> {
  const [found] = await mysql.rows<{ step: string | number }>(
    'SELECT @@GLOBAL.auto_increment_increment AS step',
  )
  if (Number(found?.step ?? 1) === 1) return
  throw new MismatchError(
    `auto_increment_increment is ${found?.step}, so that the numbers of the outbox have gaps which no transaction will ever fill: set it to 1 on the server that is written to`,
  )
}
