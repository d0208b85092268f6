import type { RequestListener } from 'node:http'
import { expect, test } from 'vitest'
import { reasonsNotReady, whyNotReady, type NotReady } from './readiness.ts'
import type { ServiceStatus } from './runtime/runtime.ts'
import { services, withProbes } from './test-probes.ts'

const statusOf = (service: string, state: ServiceStatus['state']): ServiceStatus => {
  return { service, state, detail: '', process: { host: '', pid: null } }
}

const reasonOf = async (listener: RequestListener): Promise<NotReady | null> =>
  whyNotReady(await withProbes('user-api', listener))

test.each([
  {
    answer: { ready: false, waitingFor: ['kafka', 'mysql'] },
    reason: { kind: 'waiting', for: ['kafka', 'mysql'] },
  },
  { answer: { ready: true, waitingFor: [] }, reason: null },
])('$answer: $reason', async ({ answer, reason }) => {
  expect(await reasonOf((_, response) => response.end(JSON.stringify(answer)))).toEqual(reason)
})

test('one that is frozen takes connections and gives no answer', async () => {
  expect(await reasonOf(() => {})).toEqual({ kind: 'silent' })
})

test('a server without probes is not ready when it gives no answer', async () => {
  const kafka = services.find(({ name }) => name === 'kafka')!
  expect(await whyNotReady(kafka)).toEqual({ kind: 'silent' })
})

test('nothing is known of one that has just ended', async () => {
  expect(await reasonOf((_, response) => response.destroy())).toBeNull()
})

test('of several that are not ready all are asked at once', async () => {
  const bothAsked = Promise.withResolvers<void>()
  let asked = 0
  // Gives no answer before the other one has been asked, too.
  const listener: RequestListener = (_, response) => {
    if (++asked === 2) bothAsked.resolve()
    void bothAsked.promise.then(() => response.end('{"waitingFor": ["kafka"]}'))
  }
  const both = [await withProbes('user-api', listener), await withProbes('family-api', listener)]
  const statuses = [
    statusOf('user-api', 'not ready'),
    statusOf('family-api', 'not ready'),
    statusOf('coworker-api', 'ready'),
    statusOf('kafka', 'ended'),
  ]
  const others = services.filter(({ name }) => both.every(each => each.name !== name))
  expect(await reasonsNotReady([...both, ...others], statuses)).toEqual(
    new Map([
      ['user-api', { kind: 'waiting', for: ['kafka'] }],
      ['family-api', { kind: 'waiting', for: ['kafka'] }],
    ]),
  )
})
