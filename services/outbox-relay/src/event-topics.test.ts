import { createKafka, kafkaSettings } from '@kafka-pattern/kafka-config'
import { createLogger } from '@kafka-pattern/service-runtime'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { EventTopics } from './event-topics.ts'

const unknown = new TypeError('nobody knows')
const refused = Object.assign(new Error('refused'), {
  errors: [{ topic: 'outbox.event.user', type: 'POLICY_VIOLATION', message: 'not by this name' }],
})

/** Topics that fail so, one error after the other. */
function topicsThatFail(...errors: Error[]) {
  const logger = createLogger({ name: 'test', level: 'silent' })
  const kafka = createKafka(z.object(kafkaSettings).parse({ KAFKA_BROKERS: '127.0.0.1:1' }), logger)
  const admin = kafka.admin()
  vi.spyOn(admin, 'connect').mockResolvedValue()
  vi.spyOn(admin, 'disconnect').mockResolvedValue()
  const look = vi.spyOn(admin, 'listTopics')
  for (const error of errors) look.mockRejectedValueOnce(error)
  // Each attempt makes a client of its own.
  const clients = vi.spyOn(Object.getPrototypeOf(kafka), 'admin').mockReturnValue(admin)
  // The pauses between attempts are of a random length, up to all of it.
  const dice = vi.spyOn(Math, 'random').mockReturnValue(0)
  onTestFinished(() => {
    clients.mockRestore()
    dice.mockRestore()
  })
  const warnings = vi.spyOn(logger, 'warn')
  const topics = new EventTopics({
    kafka,
    logger,
    partitions: 1,
    replicationFactor: 1,
    aggregateTypes: null,
    maxAttempts: 2,
    stopping: new AbortController().signal,
  })
  return { topics, look, warnings }
}

test.each([
  ['to look at it', Object.assign(new Error('not authorized'), { type: 'TOPIC_AUTHORIZATION_FAILED' })],
  [
    'to create it',
    Object.assign(new Error('not created'), {
      errors: [{ topic: 'outbox.event.user', type: 'TOPIC_AUTHORIZATION_FAILED', message: 'not authorized' }],
    }),
  ],
])('a right that is missing, %s, is waited for, and told once with the remedy', async (_right, forbidden) => {
  const { topics, look, warnings } = topicsThatFail(
    forbidden,
    forbidden,
    forbidden,
    forbidden,
    refused,
    refused,
  )
  const refusal = await topics.refusalOf('user', new AbortController().signal)
  expect(refusal).toMatchObject({ attempts: 2 })
  expect(look).toHaveBeenCalledTimes(6)
  expect(warnings.mock.calls.map(([, message]) => message)).toEqual([
    expect.stringMatching(/rights on outbox\.event\.user are missing: grant .*AGGREGATE_TYPES/),
  ])
})

test('what nobody knows is waited out, told once in a series, and is no refusal: only what a broker said is counted', async () => {
  const { topics, look, warnings } = topicsThatFail(unknown, unknown, refused, unknown, unknown, refused)
  const refusal = await topics.refusalOf('user', new AbortController().signal)
  expect(refusal).toEqual({ reason: expect.stringContaining('not by this name'), attempts: 2 })
  expect(look).toHaveBeenCalledTimes(6)
  expect(warnings.mock.calls.map(([fields]) => fields)).toMatchObject([{ attempts: 1 }, { attempts: 1 }])
})

test('what to do about a right that is missing is told also when something else went wrong before', async () => {
  const forbidden = Object.assign(new Error('not authorized'), { type: 'TOPIC_AUTHORIZATION_FAILED' })
  const { topics, warnings } = topicsThatFail(unknown, forbidden, forbidden, refused, refused)
  await topics.refusalOf('user', new AbortController().signal)
  expect(warnings.mock.calls.map(([, what]) => what)).toEqual([
    'a topic cannot be looked up, trying on',
    expect.stringContaining('grant CREATE, DESCRIBE and WRITE'),
  ])
})

test('a topic that is waited for is not waited for twice when it is to be looked at again', async () => {
  const { topics, look } = topicsThatFail(unknown, unknown, refused, refused, refused, refused)
  const first = topics.refusalOf('user', new AbortController().signal)
  topics.forget()
  const second = topics.refusalOf('user', new AbortController().signal)
  await Promise.all([first, second])
  expect(look).toHaveBeenCalledTimes(4)

  topics.forget()
  expect(await topics.refusalOf('user', new AbortController().signal)).toMatchObject({ attempts: 2 })
  expect(look.mock.calls.length).toBeGreaterThan(4)
})
