import { expect, test } from 'vitest'
import { readComposeFile } from '../compose-file/compose-file.ts'
import { composeFilePath } from '../repository.ts'
import { readRequest } from './request.ts'

const file = await readComposeFile(composeFilePath, {}, [
  { name: 'batch-consumer-2', of: 'batch-consumer', probePort: 40_002 },
])

test.each(['1', '3', '32'])('N=%s', N => {
  const request = readRequest({ SERVICE: 'batch-consumer', N }, file)
  expect(request).toEqual({ service: expect.objectContaining({ name: 'batch-consumer' }), wanted: Number(N) })
})

test('every consumer, sink, relay and poller can be scaled', () => {
  expect(() => readRequest({}, file)).toThrow(
    'Which service? Say make scale SERVICE=<one of simple-consumer, batch-consumer, cdc-poller, cdc-sink, outbox-relay, outbox-sink> N=<1 to 32>.',
  )
})

test.each([
  [
    { SERVICE: 'nope', N: '3' },
    /^There is no service "nope"\. Say make scale SERVICE=<one of simple-consumer/,
  ],
  [{ SERVICE: 'user-api', N: '3' }, /^user-api cannot be scaled here, because it answers at one port/],
  [
    { SERVICE: 'outbox-registry', N: '3' },
    /^outbox-registry cannot be scaled here, because it answers at one port/,
  ],
  [
    { SERVICE: 'kafka', N: '3' },
    /^kafka cannot be scaled here, because it is not a service of this repository/,
  ],
  [
    { SERVICE: 'batch-consumer-2', N: '3' },
    /^batch-consumer-2 is an instance of batch-consumer\. Say make scale/,
  ],
  [{ SERVICE: 'batch-consumer' }, 'How many? Say make scale SERVICE=batch-consumer N=<1 to 32>.'],
])('%j', (given, sentence) => {
  expect(() => readRequest(given, file)).toThrow(sentence)
})

test.each(['0', '33', '-1', '1.5', 'three', '1e1', ' 3'])('N=%s is no number of instances', N => {
  expect(() => readRequest({ SERVICE: 'batch-consumer', N }, file)).toThrow(
    `N must be a whole number from 1 to 32, but is "${N}".`,
  )
})
