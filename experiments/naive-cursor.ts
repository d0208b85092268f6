/**
 * Two pollers follow one table at the same time: the cursor that one writes down first, `updated_at` newer than the newest one seen,
 * and that of cdc-poller. A row has the time of its statement, and is seen from its COMMIT on: the first cursor, which has read a later
 * row by then, never looks back.
 */
import { randomUUID } from 'node:crypto'
import type { Experiment } from '../scripts/prove/experiment.ts'
import { tell, until, type Lab } from '../scripts/prove/lab.ts'
import { ledgerOf } from '../scripts/prove/ledger.ts'
import { UserError } from '../scripts/user-error.ts'

const lateRows = 5
const others = ['Grace', 'Edsger', 'Barbara']
const ways = { 'naive cursor': 'naive', 'cdc-poller': 'low-mark' }

class RolledBack extends Error {}

export const naiveCursor: Experiment = {
  title: 'Rows that commit late, under a cursor on updated_at',
  prediction: `the naive cursor loses the ${lateRows} rows that commit after a later one was read, cdc-poller none; neither tells of a rollback`,
  predicted: {
    'naive cursor': { lost: lateRows, invented: 0 },
    'cdc-poller': { lost: 0, invented: 0 },
  },

  async run(lab) {
    const { mysql } = lab
    const followed = await Promise.all(
      Object.entries(ways).map(async ([way, POLLER_CURSOR]) => {
        const KAFKA_TOPIC = `prove.${POLLER_CURSOR}`
        await lab.start('cdc-poller', { POLLER_CURSOR, KAFKA_TOPIC })
        return { way, seen: await lab.follow(KAFKA_TOPIC) }
      }),
    )
    const untilBothHave = async (ids: string[]) => {
      if (await until(() => followed.every(({ seen }) => ids.every(id => seen.has(id))))) return
      throw new UserError('A row that was committed at once did not come to both topics.')
    }
    for (let i = 1; i <= lateRows; i++) {
      await mysql.inTransaction(async transaction => {
        await insertUser(transaction, `Late ${i}`)
        // One after the other: of two that commit in another order than their times the naive cursor would lose one already.
        const ids: string[] = []
        for (const name of others) ids.push(await insertUser(mysql, name))
        await untilBothHave(ids)
      })
      tell(
        'writer',
        `Late ${i}: inserted, then committed when both had seen ${others.join(', ')}, inserted after it`,
      )
      await rollBack(mysql)
    }
    // Whatever the naive cursor will ever find, it has found when it has the newest row.
    await untilBothHave([await insertUser(mysql, 'Last')])
    const committed = (await mysql.rows<{ id: string }>('SELECT id FROM users')).map(({ id }) => id)
    const ours = followed.at(-1)!.seen
    await until(() => committed.every(id => ours.has(id)))
    return followed.map(({ way, seen }) => ledgerOf(way, committed, seen.keys()))
  },
}

async function insertUser(mysql: Pick<Lab['mysql'], 'write'>, name: string): Promise<string> {
  const id = randomUUID()
  await mysql.write('INSERT INTO users (id, name, level, version) VALUES (?)', [[id, name, 1, 1]])
  return id
}

async function rollBack(mysql: Lab['mysql']): Promise<void> {
  try {
    await mysql.inTransaction(async transaction => {
      await insertUser(transaction, 'Nobody')
      throw new RolledBack()
    })
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error
  }
}
