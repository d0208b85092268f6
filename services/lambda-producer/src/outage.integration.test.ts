import { createTopic, eventually, readTopic, startFaultProxy, startOwnKafka } from '@kafka-pattern/test-kit'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { invoke, logLines, makeBundle, startBundle } from './test-function.ts'
import type { FaultProxy, OwnKafka } from '@kafka-pattern/test-kit'
import type { LambdaFunction } from '@kafka-pattern/test-kit/lambda-runtime'

/** Of a function whose broker is away: a test waits for it, but for the margin. */
const shortTimeoutMs = 14_000
const answerMarginMs = 10_000

let bundle: Awaited<ReturnType<typeof makeBundle>>
let kafka: OwnKafka
let proxy: FaultProxy
let topic: string
beforeAll(async () => {
  bundle = await makeBundle()
  // Longer than it takes to freeze the broker behind an answer.
  kafka = await startOwnKafka({ config: { 'connections.max.idle.ms': 10_000 } })
  return async () => {
    await kafka.stop()
    await bundle.remove()
  }
})
beforeEach(async () => {
  topic = await createTopic({ on: kafka })
  proxy = await startFaultProxy({ target: kafka.brokers[0]! })
})
// A test that failed on the way must not fail the next ones.
afterEach(async () => {
  const [node] = kafka.nodes
  if (await node?.isRunning()) await node?.thaw()
  else await node?.start()
})

const start = (env: Record<string, string> = {}, timeoutMs?: number) =>
  startBundle(
    bundle,
    { KAFKA_BROKERS: proxy.address, KAFKA_TOPIC: topic, TOPIC_PARTITIONS: '1', ...env },
    timeoutMs,
  )
const startShort = () => start({ ANSWER_MARGIN_MS: String(answerMarginMs) }, shortTimeoutMs)

const storedIds = async () => (await readTopic(topic, { on: kafka })).map(({ key }) => String(key))
const idOf = ({ body }: { body: string }) => String(JSON.parse(body).id)

test('frozen until the broker has closed its connection: the next invocation makes a new one, and stores once', async () => {
  const lambda = await start()
  const before = await invoke(lambda)
  expect(before.statusCode).toBe(201)
  // The function is frozen (SIGSTOP) and cannot notice it.
  await eventually(() => expect(proxy.connections).toBe(0), {
    what: 'the broker to close the idle connection',
  })
  const after = await invoke(lambda)
  expect(after.statusCode).toBe(201)
  expect(await storedIds()).toEqual([idOf(before), idOf(after)])
  await expectNoTimeout(lambda, after)
})

test('frozen until the network has forgotten its connection: replaced before it is used, and stores once', async () => {
  const lambda = await start({ CONNECTION_MAX_AGE_MS: '1' })
  const before = await invoke(lambda)
  expect(before.statusCode).toBe(201)
  proxy.forget()
  const after = await invoke(lambda)
  expect(after.statusCode).toBe(201)
  expect(await storedIds()).toEqual([idOf(before), idOf(after)])
  await expectNoTimeout(lambda, after)
})

test('the broker restarts between two invocations', async () => {
  const lambda = await start()
  expect((await invoke(lambda)).statusCode).toBe(201)
  await kafka.nodes[0]?.kill()
  await kafka.nodes[0]?.start()
  const after = await invoke(lambda)
  expect(after.statusCode).toBe(201)
  expect(await storedIds()).toHaveLength(2)
  await expectNoTimeout(lambda, after)
})

test('the broker is killed: 503 before the time is over, never 201; then 201 again in the same process', async () => {
  const lambda = await startShort()
  const before = await untilStored(lambda, 'before')
  await kafka.nodes[0]?.kill()
  expectUnavailable(await invoke(lambda))
  await kafka.nodes[0]?.start()
  await expectRecovery(lambda)
  expect(await storedIds()).toContain(idOf(before))
})

test('the broker is frozen: 503 that says what is known, before the time is over; then 201 again', async () => {
  const lambda = await startShort()
  await untilStored(lambda, 'before')
  await kafka.nodes[0]?.freeze()
  const first = await invoke(lambda)
  expectUnavailable(first)
  expect(first.body).toContain('it may have been stored')
  // This one waits for the answer to the first, and is never sent.
  const second = await invoke(lambda)
  expectUnavailable(second)
  expect(second.body).toContain('was not stored')
  await kafka.nodes[0]?.thaw()
  await expectRecovery(lambda)
})

test('started while the broker is away: 503 before the time is over, and 201 once it is there', async () => {
  await kafka.nodes[0]?.kill()
  const lambda = await startShort()
  const answer = await invoke(lambda)
  expectUnavailable(answer)
  expect(answer.body).toContain('nothing was stored')
  await kafka.nodes[0]?.start()
  await expectRecovery(lambda)
})

function expectUnavailable({ statusCode, headers, durationMs }: Awaited<ReturnType<typeof invoke>>): void {
  expect([statusCode, Number(headers['retry-after']) > 0]).toEqual([503, true])
  expect(durationMs).toBeLessThan(shortTimeoutMs)
}

function untilStored(lambda: LambdaFunction, when: string): Promise<Awaited<ReturnType<typeof invoke>>> {
  return eventually(
    async () => {
      const answer = await invoke(lambda)
      expect(answer.statusCode).toBe(201)
      return answer
    },
    { what: `201 ${when} the outage` },
  )
}

/** Its lines come in order, and later than its answers. */
async function untilLogged(lambda: LambdaFunction, answer: { body: string }): Promise<void> {
  await eventually(() => expect(logLines(lambda).map(({ key }) => key)).toContain(idOf(answer)), {
    what: 'the line of the record',
  })
}

/** A request without an answer is repeated after 10 s; nothing here may lean on that. */
async function expectNoTimeout(lambda: LambdaFunction, last: { body: string }): Promise<void> {
  await untilLogged(lambda, last)
  expect(lambda.outputLines.filter(line => line.includes('timed out'))).toEqual([])
}

/** 201 again, and nothing is stored of what was refused as not stored. */
async function expectRecovery(lambda: LambdaFunction): Promise<void> {
  const after = await untilStored(lambda, 'after')
  await untilLogged(lambda, after)
  const stored = await storedIds()
  expect(stored).toContain(idOf(after))
  const refused = logLines(lambda).filter(
    ({ msg, reason }) =>
      msg === 'record not acknowledged' && !String(reason).includes('may have been stored'),
  )
  for (const { key } of refused) expect(stored).not.toContain(key)
}
