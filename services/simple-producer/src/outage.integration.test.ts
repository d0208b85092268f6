/** One broker, which is killed or frozen. */
import { EntityCreated } from '@kafka-pattern/events'
import { createTopic, eventually, readTopic, startOwnKafka, startService } from '@kafka-pattern/test-kit'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { create, requestTimeoutMs, slackMs, timed } from './test-client.ts'
import type { Answer } from './test-client.ts'
import type { OwnKafka, RunningService } from '@kafka-pattern/test-kit'

const Probe = /"waitingFor":\[([^\]]*)\]/

let kafka: OwnKafka
let topic: string
beforeAll(async () => {
  kafka = await startOwnKafka()
  return () => kafka.stop()
})
beforeEach(async () => {
  topic = await createTopic({ on: kafka, partitions: 3 })
})
// A test that failed on the way must not fail the next ones.
afterEach(async () => {
  const [node] = kafka.nodes
  if (await node?.isRunning()) await node?.thaw()
  else await node?.start()
})

function startProducer(
  limitMs = requestTimeoutMs,
  options: { waitReady?: boolean } = {},
): Promise<RunningService> {
  const env = {
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_TOPIC: topic,
    REQUEST_TIMEOUT_MS: String(limitMs),
  }
  return startService('simple-producer', env, options)
}

function untilStored(service: RunningService, when: string): Promise<Answer> {
  return eventually(
    async () => {
      const answer = await create(service)
      expect(answer.status).toBe(201)
      return answer
    },
    { what: `201 ${when} the outage` },
  )
}

test('down at start: it waits, says for what, answers 503 at once, and serves when the broker is there', async () => {
  await kafka.nodes[0]?.kill()
  const limitMs = 20_000
  const service = await startProducer(limitMs, { waitReady: false })
  await service.waitForLog(({ msg }) => msg === 'listening')
  const waiting = await service.waitForLog(({ msg }) => msg === 'waiting for a Kafka broker to answer')
  expect(waiting).toMatchObject({ level: 40, attempt: expect.any(Number), reason: expect.any(String) })
  const readiness = await fetch(`${service.probeUrl}/readyz`)
  expect([readiness.status, Probe.exec(await readiness.text())?.[1]]).toEqual([
    503,
    expect.stringContaining('"Kafka"'),
  ])
  const { status, retryAfter, tookMs } = await timed(() => create(service))
  expect([status, retryAfter > 0]).toEqual([503, true])
  // It did not wait for the broker: that would take nearly all of its limit.
  expect(tookMs).toBeLessThan(limitMs / 2)

  await kafka.nodes[0]?.start()
  await service.waitForLog(({ msg }) => msg === 'ready')
  expect((await create(service)).status).toBe(201)
  expect((await readTopic(topic, { on: kafka })).length).toBe(1)
  // No crash loop: it is the same process, and it ends in order.
  expect(await service.stop()).toBe(0)
}, 300_000)

test.each([
  ['killed', 'kill', 'start'],
  ['frozen', 'freeze', 'thaw'],
] as const)(
  '%s while serving: 503 within the request timeout, never 201; then 201 again without a restart',
  async (_what, takeAway, bringBack) => {
    const service = await startProducer()
    const before = await untilStored(service, 'before')

    await kafka.nodes[0]?.[takeAway]()
    const during = await Promise.all(Array.from({ length: 5 }, () => timed(() => create(service))))
    for (const { status, retryAfter, tookMs } of during) {
      expect([status, retryAfter > 0]).toEqual([503, true])
      expect(tookMs).toBeLessThan(requestTimeoutMs + slackMs)
    }
    await eventually(async () => expect((await fetch(`${service.probeUrl}/readyz`)).status).toBe(503), {
      what: 'readiness to be withdrawn',
    })

    await kafka.nodes[0]?.[bringBack]()
    // First without a request: who takes an unready service out of rotation sends none.
    await eventually(async () => expect((await fetch(`${service.probeUrl}/readyz`)).status).toBe(200), {
      what: 'readiness to come back',
    })
    const after = await untilStored(service, 'after')
    // What was answered 201 is there; what was answered 503 may be, as it says.
    const stored = new Set((await readTopic(topic, { on: kafka })).map(({ key }) => String(key)))
    for (const { text } of [before, after]) expect(stored).toContain(EntityCreated.parse(JSON.parse(text)).id)
    expect(await service.stop()).toBe(0)
  },
  300_000,
)
