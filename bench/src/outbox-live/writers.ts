/** Eight connections, each with one transaction of ten events after the other. Prints when it began and its pace as JSON. */
import { once } from 'node:events'
import { rootMysql } from '../database/root-mysql.ts'
import { chunked, insertIntoOutbox, outboxValues, userChanges } from '../database/rows.ts'
import { readTask } from '../task.ts'

const writers = 8
const rowsOfTransaction = 10

const mysql = rootMysql(writers)
const { records } = readTask()
const states = [...userChanges(records)]
const transactions = chunked(states, rowsOfTransaction)

const open = Promise.withResolvers<void>()
let connected = 0
let startedAtMs = 0

await Promise.all(
  Array.from({ length: writers }, () =>
    mysql.withConnection(async connection => {
      await connection.rows('SELECT 1')
      if (++connected === writers) {
        startedAtMs = Date.now()
        open.resolve()
      }
      await open.promise
      for (const chunk of transactions) {
        await connection.write(insertIntoOutbox + chunk.map(state => outboxValues(state)).join(','))
      }
    }),
  ),
)
const perSecond = records / ((Date.now() - startedAtMs) / 1000)
console.log(JSON.stringify({ startedAtMs, perSecond }))
await once(process, 'SIGTERM')
await mysql.close()
