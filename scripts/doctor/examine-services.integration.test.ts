import type { RequestListener } from 'node:http'
import { expect, test } from 'vitest'
import type { ServiceStatus } from '../runtime/runtime.ts'
import { services, withProbes } from '../test-probes.ts'
import { examineServices } from './examine-services.ts'

const waits: RequestListener = (_, response) =>
  response.writeHead(503).end('{"ready":false,"waitingFor":["Kafka"]}')
const statusOf = (service: string, state: ServiceStatus['state'] = 'not ready'): ServiceStatus => ({
  service,
  state,
  detail: '',
  process: { host: 'here', pid: null },
})

const text = 'user-api is not ready: it waits for Kafka'
const server = services.find(each => each.name === 'kafka')!

test.each([
  { state: 'ended' as const, finding: 'kafka has ended by itself' },
  { state: 'not ready' as const, finding: 'kafka runs, but gives no answer' },
])('who waits for a server that is away has nothing to change: $finding', async ({ state, finding }) => {
  const userApi = await withProbes('user-api', waits)
  const statuses = [statusOf('user-api'), statusOf('kafka', state)]
  expect(await examineServices([userApi, server], statuses)).toEqual([
    expect.objectContaining({ kind: 'fault', text: finding }),
    { kind: 'note', text },
  ])
})

test('who waits while all servers are there has something to change, whatever else hangs', async () => {
  const userApi = await withProbes('user-api', waits)
  const familyApi = await withProbes('family-api', () => {})
  const statuses = [statusOf('user-api'), statusOf('family-api'), statusOf('kafka', 'ready')]
  expect(await examineServices([userApi, familyApi, server], statuses)).toMatchObject([
    { kind: 'fault', text: 'family-api runs, but gives no answer' },
    { kind: 'fault', text },
  ])
})
