import { expect, test } from 'vitest'
import { judgeConnectors } from './examine-connect.ts'

const running = { state: 'RUNNING' }

test('no connector is worth knowing, one that runs is fine', () => {
  expect(judgeConnectors({})).toMatchObject([{ kind: 'note' }])
  expect(judgeConnectors({ cdc: { status: { connector: running, tasks: [running] } } })).toEqual([
    { kind: 'fine', text: 'connector cdc is RUNNING, 1 task(s)' },
  ])
})

test('a failed task is a fault with the innermost cause', () => {
  const trace =
    'ConnectException: outer\n\tat x\nCaused by: A: middle\n\tat y\nCaused by: B: Access denied\n\tat z\n'
  const failed = { state: 'FAILED', trace }
  const [finding] = judgeConnectors({ cdc: { status: { connector: running, tasks: [failed] } } })
  expect(finding).toMatchObject({
    kind: 'fault',
    text: 'connector cdc has failed: Caused by: B: Access denied',
  })
})

test.each([
  ['STOPPED', []],
  ['PAUSED', [{ state: 'PAUSED' }]],
  ['RUNNING', []],
  ['RUNNING', [{ state: 'UNASSIGNED' }]],
])('a connector that is %s with tasks %j publishes nothing: a fault', (state, tasks) => {
  const [finding] = judgeConnectors({ cdc: { status: { connector: { state }, tasks } } })
  expect(finding).toMatchObject({
    kind: 'fault',
    text: `connector cdc is ${state}, ${tasks.length} task(s): it publishes nothing`,
  })
})
