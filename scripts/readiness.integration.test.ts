import type { RequestListener } from 'node:http'
import { expect, test } from 'vitest'
import { whyNotReady, type NotReady } from './readiness.ts'
import { services, withProbes } from './test-probes.ts'

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
