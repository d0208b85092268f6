/**
 * The demo of publish and subscribe: ten creates to each of the three APIs, and three records that go wrong on purpose, each
 * followed from the acknowledgement to the commit by what the services log. It succeeds only if every single one arrived
 * wherever it should; the dead letters are read back from their topic.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { HEADERS } from '@kafka-pattern/events'
import { createGatheringProducer, type Kafka } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'
import type { ComposeService } from '../../compose-file/compose-file.ts'
import { isRecordStep } from '../../flow/flow-event.ts'
import { followFlow } from '../../flow/follow-flow.ts'
import { quietKafka } from '../../kafka-client.ts'
import { baseUrl, brokersFromHere } from '../../stack-addresses.ts'
import { colors, print } from '../../terminal.ts'
import { UserError } from '../../user-error.ts'
import type { Demo, Verdict } from '../demo.ts'
import { checkDeadLetters } from './check-dead-letters.ts'
import { createNarrator } from './narrator.ts'
import { createJourneys, missingSteps, type Journey, type Journeys } from './record-journeys.ts'
import { printMissing, printSummary, printWhereToLook } from './summary.ts'

const createsPerApi = 10
// How long the last record may take: until its batch closes by time, and then some.
const longestBatchTimeoutMs = 10_000
const patienceMs = 30_000

const names = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Leslie', 'Frances', 'Tony', 'Radia', 'Alan']

/** A record for the topic that no API would have written: its sender knows its exact bytes. */
export type DirectRecord = { key: string; value: string; headers: Record<string, string> }

export async function runPubsubDemo({ runtime, stack, services }: Demo): Promise<Verdict> {
  const apis = services.filter(service => service.program === 'simple-producer')
  const batchConsumer = services.find(service => service.program === 'batch-consumer')
  const [first, second, third] = apis
  if (!first || !second || !third || !batchConsumer) {
    throw new UserError('docker-compose.yml: the demo needs three simple-producers and a batch-consumer.')
  }
  const LOG_LEVEL = batchConsumer.environment.LOG_LEVEL || 'info'
  if (!['info', 'debug', 'trace'].includes(LOG_LEVEL)) {
    throw new UserError(
      `Everything runs, but the demo follows the records by what the services log at info, and LOG_LEVEL is ${LOG_LEVEL}.`,
    )
  }
  print(
    colors.bold(
      `${createsPerApi} creates to each of ${apis.map(({ name }) => name).join(', ')}, and three that go wrong on purpose`,
    ),
  )

  const narrator = createNarrator(services)
  const readers = services.filter(({ program }) => program === 'simple-consumer').length
  const journeys = createJourneys((step, journey) => narrator.tell(step, journey), readers)
  const following = new AbortController()
  const flow = followFlow(
    runtime,
    services.map(service => service.name),
    following.signal,
    (service, event) => {
      if (isRecordStep(event)) journeys.apply(event, performance.now(), service)
    },
  )
  const { kafka, logger } = quietKafka(brokersFromHere(stack, runtime.kind), 'demo')
  const direct = new Map<Journey, DirectRecord>()
  try {
    await Promise.all([
      ...apis.map(api => createEntities(api, journeys)),
      sendFaults(kafka, logger, journeys, direct, [topicOf(first), topicOf(second), topicOf(third)]),
    ])
    const batchTimeoutMs = Number(batchConsumer.environment.BATCH_TIMEOUT_MS)
    await allArrived(journeys, Math.min(batchTimeoutMs, longestBatchTimeoutMs) + patienceMs)
  } finally {
    following.abort()
    await flow
  }
  const deadLettersAreRight = await checkDeadLetters(kafka, logger, direct)
  printSummary(journeys.all())
  const allThere = journeys.all().every(journey => missingSteps(journey).length === 0)
  if (!allThere) printMissing(journeys.all(), services)
  printWhereToLook(services)
  return allThere && deadLettersAreRight
    ? { kept: true, sentence: 'Every record arrived at every consumer that should see it.' }
    : { kept: false, sentence: 'Not every record arrived where it should; what is missing stands above.' }
}

function topicOf(api: ComposeService): string {
  const topic = api.environment.KAFKA_TOPIC
  if (topic === undefined) throw new UserError(`docker-compose.yml: ${api.name} has no KAFKA_TOPIC.`)
  return topic
}

/** One after the other, as a person would: each answer comes after the broker's acknowledgement. */
async function createEntities(api: ComposeService, journeys: Journeys): Promise<void> {
  const topic = topicOf(api)
  for (let i = 0; i < createsPerApi; i++) {
    const name = names[i % names.length]!
    const journey = journeys.send(name, topic, 'processed', performance.now())
    const response = await fetch(`${baseUrl(api)}/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-correlation-id': randomUUID() },
      body: JSON.stringify({ level: i * 10, name }),
      signal: AbortSignal.timeout(15_000),
    })
    const answer = await response.text()
    if (response.status !== 201) {
      throw new UserError(
        `${api.name} answered ${response.status} to a create: ${answer} (make logs SERVICE=${api.name})`,
      )
    }
    const partition = Number(response.headers.get('x-kafka-partition'))
    const offset = response.headers.get('x-kafka-offset') ?? ''
    journeys.acknowledge(journey, { topic, partition, offset }, performance.now())
  }
}

async function sendFaults(
  kafka: Kafka,
  logger: Logger,
  journeys: Journeys,
  direct: Map<Journey, DirectRecord>,
  [unreadable, retried, rejected]: [string, string, string],
): Promise<void> {
  const producer = createGatheringProducer(kafka, { logger })
  await producer.connect()
  try {
    const send = async (
      label: string,
      topic: string,
      expected: Journey['expected'],
      record: DirectRecord,
    ) => {
      const journey = journeys.send(label, topic, expected, performance.now())
      direct.set(journey, record)
      const stored = await producer.send({ topic, ...record })
      journeys.acknowledge(journey, stored, performance.now())
    }
    await Promise.all([
      send('unreadable', unreadable, 'dead-lettered', {
        ...entity('unreadable'),
        value: '{"level": 7, "name": "Kat',
      }),
      send('two timeouts', retried, 'retried', entity('Margaret', 'timeout:2')),
      send('rejected', rejected, 'dead-lettered', entity('Katherine', 'reject')),
    ])
  } finally {
    await producer.close()
  }
}

/** A record such as the APIs write, with the header that makes its handling fail where DEMO_FAULTS allows it. */
function entity(name: string, fault?: string): DirectRecord {
  const id = randomUUID()
  return {
    key: id,
    value: JSON.stringify({ id, event: 'create', level: 50, name }),
    headers: {
      [HEADERS.correlationId]: randomUUID(),
      [HEADERS.contentType]: 'application/json',
      [HEADERS.eventType]: 'create',
      [HEADERS.id]: randomUUID(),
      ...(fault === undefined ? {} : { 'demo-fault': fault }),
    },
  }
}

/** Ends when every record is where it should be, or when the time is up; which of the two, the journeys tell. */
async function allArrived(journeys: Journeys, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs
  const isComplete = () => journeys.all().every(journey => missingSteps(journey).length === 0)
  while (!isComplete() && performance.now() < deadline) await delay(20)
}
