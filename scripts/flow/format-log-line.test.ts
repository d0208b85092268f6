import { expect, test } from 'vitest'
import { formatLogLine } from './format-log-line.ts'

const escape = '\u001B[2J'

test('what a record holds does not reach the terminal as a command to it', () => {
  const entry = {
    time: 0,
    level: 30,
    msg: `parked ${escape}`,
    key: escape,
    err: { stack: `Error: ${escape}\n    at x` },
  }
  const line = formatLogLine(JSON.stringify(entry))
  expect(line).not.toContain(escape)
  expect(line).toContain('parked ?[2J')
  expect(line).toContain('key=?[2J')
  expect(line).toMatch(/\nError: \?\[2J\n {4}at x$/)
})
