import { expect, test } from 'vitest'
import { parseComposeFile } from '../compose-file/compose-file.ts'
import { brokerCountOf, brokersOf, requireSameBrokers } from './broker-count.ts'

const file = parseComposeFile(
  `
name: example
services:
  kafka: { image: apache/kafka:4.3.1, profiles: [one-broker] }
  kafka-1: { image: apache/kafka:4.3.1, profiles: [three-brokers] }
  kafka-2: { image: apache/kafka:4.3.1, profiles: [three-brokers] }
  api: { build: { context: ., args: { SERVICE: simple-producer } } }
`,
  {},
)

test('BROKERS is 1 or 3, and 1 when it is not set', () => {
  expect([{}, { BROKERS: '' }, { BROKERS: '1' }].map(brokerCountOf)).toEqual([1, 1, 1])
  expect(brokerCountOf({ BROKERS: '3' })).toBe(3)
  for (const BROKERS of ['0', '2', '03', 'three']) {
    expect(() => brokerCountOf({ BROKERS })).toThrow(`BROKERS must be 1 or 3, but is "${BROKERS}".`)
  }
})

test('the brokers of a stack', () => {
  expect(brokersOf({ file, brokers: 1 }).map(({ name }) => name)).toEqual(['kafka'])
  expect(brokersOf({ file, brokers: 3 }).map(({ name }) => name)).toEqual(['kafka-1', 'kafka-2'])
})

/** Ended ones count, too: what they hold is the data of so many. */
function stackRunning(...services: string[]) {
  return { started: async () => services }
}

test.each([
  ['nothing', []],
  ['services without a broker', ['api']],
  ['one of the three', ['kafka-2', 'api']],
])('three brokers are started where there is %s', async (_what, running) => {
  const check = requireSameBrokers(stackRunning(...running), { file, brokers: 3 })
  await expect(check).resolves.toBeUndefined()
})

test.each([
  ['three brokers over one', 3, 'kafka', /runs with one broker.*`make down` first/],
  ['one broker over three', 1, 'kafka-2', /runs with three brokers.*`make down` first, or say BROKERS=3/],
] as const)('%s are refused', async (_what, brokers, running, sentence) => {
  await expect(requireSameBrokers(stackRunning(running, 'api'), { file, brokers })).rejects.toThrow(sentence)
})
