/** A batch consumer in the test's own process, so that the test decides when its handler returns. */
import { createDeadLetterPublisher, createDeadLetters } from '@kafka-pattern/dead-letter'
import { createGatheringProducer, createGroupConsumer } from '@kafka-pattern/kafka-config'
import { testKafka, withAdmin } from '@kafka-pattern/test-kit'
import { onTestFinished } from 'vitest'
import { createBatchConsumer } from './batch-consumer.ts'
import type { BatchReport } from './batch-report.ts'
import type { BatchHandler } from './handler.ts'
import type { BatchPlace } from './process-batch.ts'
import type { DeadLetters } from '@kafka-pattern/dead-letter'
import type { GroupConsumer } from '@kafka-pattern/kafka-config'
import type { RetryPolicy } from '@kafka-pattern/retry'
import type { TestKafka } from '@kafka-pattern/test-kit'

export interface TestInstanceOptions {
  topics: string[]
  group: string
  handle: BatchHandler
  batchSize?: number
  batchBytes?: number
  batchTimeoutMs?: number
  retryPolicy?: RetryPolicy
  drainTimeoutMs?: number
  groupInstanceId?: string
  /** long by default: a member that is only slow must not lose its partitions */
  sessionTimeoutMs?: number
  /** other brokers than the run's stack */
  on?: TestKafka
}

export interface TestInstance {
  /** `topic/partition nextOffset`, in the order of their acknowledgements. */
  readonly commits: string[]
  /** Offsets of the records whose retry was announced. */
  readonly retries: string[]
  /** How often a dead letter was not accepted. */
  readonly refusals: () => number
  /** How many fetches brought records, by `topic/partition`. */
  readonly fetches: Map<string, number>
  /** Records handed over by the fetch loop and not yet in a batch are `fetched - begun`. */
  readonly counted: { fetched: number; begun: number }
  /** `topic/partition` of each assignment, in the order of the joins. */
  readonly assignments: string[][]
  readonly deadLetters: DeadLetters<BatchPlace>
  /** Whether a revocation has begun. */
  readonly revoked: () => boolean
  stop(): Promise<void>
}

export async function startInstance(options: TestInstanceOptions): Promise<TestInstance> {
  const { kafka, logger } = options.on ?? testKafka()
  const producer = createGatheringProducer(kafka, { logger })
  const consumer = createGroupConsumer(kafka, {
    groupId: options.group,
    topics: options.topics,
    from: 'earliest',
    logger,
    maxWaitMs: 100,
    ...(options.groupInstanceId !== undefined && { groupInstanceId: options.groupInstanceId }),
    sessionTimeoutMs: options.sessionTimeoutMs ?? 30_000,
  })
  const commits: string[] = []
  const retries: string[] = []
  const fetches = new Map<string, number>()
  const assignments: string[][] = []
  const counted = { fetched: 0, begun: 0 }
  let refusals = 0
  let revoked = false
  let defect: Error | null = null

  const report: BatchReport = {
    behind: () => {},
    began: (_place, batch) => {
      counted.begun += batch.records.length
      return () => {}
    },
    processed: () => {},
    isolating: () => {},
    retrying: (_place, record) => void retries.push(record.offset),
    deadLettered: () => {},
    deadLetterRefused: () => void refusals++,
    committed: (place, _batch, nextOffset) =>
      void commits.push(`${place.topic}/${place.partition} ${nextOffset}`),
    commitRefused: () => {},
    gaveUp: () => {},
  }
  const watched: GroupConsumer = {
    ...consumer,
    get joined() {
      return consumer.joined
    },
    start: handlers =>
      consumer.start({
        ...handlers,
        onAssigned: async (partitions, assignment) => {
          await handlers.onAssigned?.(partitions, assignment)
          assignments.push(partitions.map(each => `${each.topic}/${each.partition}`).toSorted())
        },
        onRecords: async fetched => {
          const name = `${fetched.topic}/${fetched.partition}`
          fetches.set(name, (fetches.get(name) ?? 0) + 1)
          counted.fetched += fetched.records.length
          await handlers.onRecords(fetched)
        },
        onRevoked: async () => {
          revoked = true
          await handlers.onRevoked?.()
        },
      }),
  }
  const deadLetters = createDeadLetters(
    createDeadLetterPublisher({ kafka, producer, logger }),
    options.group,
    report,
  )
  const batchConsumer = createBatchConsumer({
    consumer: watched,
    handle: options.handle,
    deadLetters,
    retryPolicy: options.retryPolicy ?? { kind: 'fixed', delayMs: 10, maxAttempts: 3 },
    report,
    limits: {
      batchSize: options.batchSize ?? 5,
      batchBytes: options.batchBytes ?? 4 * 1024 * 1024,
      batchTimeoutMs: options.batchTimeoutMs ?? 200,
    },
    drainTimeoutMs: options.drainTimeoutMs ?? 50_000,
    onDefect: error => {
      defect = error
    },
  })

  let stopped: Promise<void> | null = null
  const stop = () => {
    stopped ??= batchConsumer.stop().then(() => producer.close())
    return stopped
  }
  onTestFinished(async () => {
    await stop()
    if (defect !== null) throw defect
  })
  await producer.connect()
  await batchConsumer.start()
  return {
    commits,
    retries,
    refusals: () => refusals,
    fetches,
    counted,
    assignments,
    deadLetters,
    revoked: () => revoked,
    stop,
  }
}

/** The next offset that the group has committed, by partition; '-1' where it has none. */
export async function committedOffsets(group: string, topic: string): Promise<Record<number, string>> {
  const [found] = await withAdmin(testKafka(), admin =>
    admin.fetchOffsets({ groupId: group, topics: [topic] }),
  )
  return Object.fromEntries(found?.partitions.map(each => [each.partition, each.offset]) ?? [])
}

/** Changes the size of the largest record batch that a topic takes. */
export async function allowMessageBytes(topic: string, bytes: number): Promise<void> {
  const configEntries = [{ name: 'max.message.bytes', value: String(bytes) }]
  await withAdmin(testKafka(), admin =>
    admin.alterConfigs({
      validateOnly: false,
      // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the enum is kafkajs' own; 2 is TOPIC
      resources: [{ type: 2, name: topic, configEntries }],
    }),
  )
}
