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

test.each([
  ['nothing runs', 3, [], null],
  ['services without a broker', 3, ['api'], null],
  ['the same', 3, ['kafka-2', 'api'], null],
  ['one where three are wanted', 3, ['kafka', 'api'], /runs with one broker.*`make down` first/],
  [
    'three where one is wanted',
    1,
    ['kafka-2'],
    /runs with three brokers.*`make down` first, or say BROKERS=3/,
  ],
] as const)('%s', async (_what, brokers, running, refusal) => {
  const process = { host: '', pid: null }
  // An ended one counts, too.
  const status = async () =>
    running.map(service => ({ service, state: 'ended' as const, detail: '', process }))
  const check = requireSameBrokers({ status }, { file, brokers })
  if (refusal === null) await check
  else await expect(check).rejects.toThrow(refusal)
})
