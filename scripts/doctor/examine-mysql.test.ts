import { expect, test } from 'vitest'
import { judgeBinaryLog, judgeSchema } from './examine-mysql.ts'

test.each([
  [{ log_bin: 'ON', binlog_format: 'ROW' }, 'fine', 'holds whole rows'],
  [{ log_bin: 'ON', binlog_format: 'MIXED' }, 'note', 'in format MIXED'],
  [{ log_bin: 'OFF', binlog_format: 'ROW' }, 'note', 'is off'],
])('a binary log with %j: %s', (server, kind, text) => {
  const finding = judgeBinaryLog(server)
  expect(finding.kind).toBe(kind)
  expect(finding.text).toContain(text)
})

test('a database without this project’s tables is a fault', () => {
  expect(judgeSchema('db', [])).toMatchObject({ kind: 'fault', text: 'no tables of this project in db' })
  expect(judgeSchema('db', [{ component: 'cdc-poller', version: 1 }])).toEqual({
    kind: 'fine',
    text: 'db has the tables of cdc-poller (version 1)',
  })
})
