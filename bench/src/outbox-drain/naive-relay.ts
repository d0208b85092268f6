/**
 * The relay that most people write first: it locks some rows, sends each and waits, deletes them and commits. Polls without a pause.
 * At least once; and with two of them the events of an aggregate go out of order.
 */
import { rootMysql } from '../database/root-mysql.ts'
import { connectStockProducer } from '../kafkajs-stock.ts'
import { readTask } from '../task.ts'

const { topic } = readTask()
const mysql = rootMysql(1)
const producer = await connectStockProducer()

type Row = { seq: string; id: string; aggregateid: string; type: string; payload: string }

for (;;) {
  await mysql.inTransaction(async transaction => {
    const rows = await transaction.rows<Row>(
      'SELECT seq, id, aggregateid, type, payload FROM outbox ORDER BY seq LIMIT 100 FOR UPDATE SKIP LOCKED',
    )
    for (const { id, aggregateid, type, payload } of rows) {
      await producer.send({
        topic,
        messages: [{ key: aggregateid, value: payload, headers: { id, 'event-type': type } }],
      })
    }
    if (rows.length > 0) {
      await transaction.write('DELETE FROM outbox WHERE seq IN (?)', [rows.map(({ seq }) => seq)])
    }
  })
}
