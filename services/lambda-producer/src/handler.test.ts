import { EntityCreated, HEADERS } from '@kafka-pattern/events'
import { DeliveryTimeoutError, KafkaConfigError } from '@kafka-pattern/kafka-config'
import { createLogger } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import httpApiEvent from '../events/http-api-v2.json' with { type: 'json' }
import { createHandler, type LambdaHandler } from './handler.ts'
import { NoConnectionError, type KeptProducer } from './kept-producer.ts'
import type { OutgoingRecord } from '@kafka-pattern/kafka-config'
import type { APIGatewayProxyHandler, APIGatewayProxyHandlerV2 } from 'aws-lambda'

const context = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 3_000 }

function handlerOver(send: KeptProducer['send']) {
  const lines: Record<string, unknown>[] = []
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const logger = createLogger({ name: 'test', level: 'info', destination })
  return { handler: createHandler({ producer: { send }, topic: 'user', answerMarginMs: 500, logger }), lines }
}

// What Lambda may call; checked by the compiler.
handlerOver(() => Promise.reject(new Error())).handler satisfies APIGatewayProxyHandler
handlerOver(() => Promise.reject(new Error())).handler satisfies APIGatewayProxyHandlerV2

const invoke = (handler: LambdaHandler, event: object = httpApiEvent) =>
  // @ts-expect-error An event can be anything, and the fixtures have a few fields less than the types.
  handler(event, context)

test('201 has the value of the record, byte for byte, and where it is', async () => {
  const sent: OutgoingRecord[] = []
  const { handler, lines } = handlerOver(async record => {
    sent.push(record)
    return { topic: record.topic, partition: 2, offset: '41' }
  })
  const answer = await invoke(handler)

  const [record] = sent
  expect(answer).toEqual({
    statusCode: 201,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'x-correlation-id': 'http-api-1',
      'x-kafka-partition': '2',
      'x-kafka-offset': '41',
    },
    body: record?.value,
  })
  const entity = EntityCreated.strict().parse(JSON.parse(answer.body))
  expect(record).toMatchObject({ topic: 'user', key: entity.id })
  expect(record?.headers).toMatchObject({
    [HEADERS.correlationId]: 'http-api-1',
    [HEADERS.eventType]: 'create',
  })
  expect(lines).toMatchObject([
    { msg: 'record acknowledged', partition: 2, offset: '41', key: entity.id, awsRequestId: 'request-1' },
  ])
})

test('the record may take the remaining time, less the margin', async () => {
  let allowedMs = 0
  const { handler } = handlerOver(async (record, deadlineMs) => {
    allowedMs = deadlineMs - performance.now()
    return { topic: record.topic, partition: 0, offset: '0' }
  })
  await invoke(handler)
  expect(allowedMs).toBeGreaterThan(0)
  expect(allowedMs).toBeLessThanOrEqual(2_500)
})

test.each([
  [
    'no connection',
    new NoConnectionError(new Error('refused')),
    'there is no connection to Kafka yet; nothing was stored',
  ],
  [
    'no acknowledgement',
    new DeliveryTimeoutError('user', 0, 100, true),
    'Kafka did not acknowledge the record in time; it may have been stored',
  ],
  [
    'no leader',
    new KafkaConfigError('no leader', 'retryable'),
    'Kafka is not available; the record was not stored',
  ],
])('%s is 503 with Retry-After, and logged with its reason and ids', async (_what, error, said) => {
  const { handler, lines } = handlerOver(() => Promise.reject(error))
  const answer = await invoke(handler)
  expect([answer.statusCode, JSON.parse(answer.body)]).toEqual([503, { error: said }])
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  expect(lines).toMatchObject([
    {
      msg: 'record not acknowledged',
      correlationId: 'http-api-1',
      awsRequestId: 'request-1',
      reason: error.message,
    },
  ])
})

test('what another try cannot mend is 500 that tells nothing, and logged as an error', async () => {
  const { handler, lines } = handlerOver(() =>
    Promise.reject(new KafkaConfigError('not authorized', 'fatal')),
  )
  const answer = await invoke(handler)
  expect([answer.statusCode, JSON.parse(answer.body)]).toEqual([
    500,
    { error: 'internal error; nothing is known to be stored' },
  ])
  expect(lines).toMatchObject([{ level: 50, msg: 'request failed', err: { message: 'not authorized' } }])
})

test('what is wrong is refused without asking the producer', async () => {
  const { handler } = handlerOver(() => Promise.reject(new Error('it was asked')))
  for (const event of [{}, [], { body: '[]' }, { body: '!', isBase64Encoded: true }]) {
    expect((await invoke(handler, event)).statusCode).toBe(400)
  }
  expect((await invoke(handler, { body: 'x'.repeat(7_000_000) })).statusCode).toBe(413)
})
