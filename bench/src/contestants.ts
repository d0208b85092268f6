/**
 * Who runs in which figure, and the ratio this project means to reach against each peer in the same run.
 */
import { prepareCommitLatency } from './commit-latency/commit-latency.ts'
import { tuned } from './database/debezium.ts'
import { memoryBoundsOf } from './memory-bounds.ts'
import { prepareOutboxDrain } from './outbox-drain/outbox-drain.ts'
import { prepareOutboxLive } from './outbox-live/outbox-live.ts'
import { prepareRegistryWrites } from './registry-writes/registry-writes.ts'
import { prepareSink } from './sink/sink.ts'
import { prepareTableDrain } from './table-drain/table-drain.ts'
import type { PrepareFigure } from './database/figure.ts'

export interface Contestant {
  name: string
  run:
    | { kind: 'script'; file: string; env?: Record<string, string> }
    | { kind: 'service'; service: string; env: Record<string, string> }
    | { kind: 'debezium'; connector: 'cdc' | 'outbox' | 'jdbc'; config: Record<string, string> }
  /** A turn that publishes anything twice has failed. */
  exactlyOnce?: boolean
}

export type Goal = RatioGoal | LimitGoal

/** One of our contestants (the first, if none is named) divided by a peer. */
export interface RatioGoal {
  peer: string
  contestant?: string
  of: 'value' | 'p50Ms' | 'p99Ms' | 'writtenPerSecond'
  ratio: { atLeast: number } | { atMost: number }
}

/** What none of our own contestants may exceed. */
export interface LimitGoal {
  of: 'value' | 'residentMb'
  atMost: number
}

export interface Figure {
  id: string
  title: string
  unit: 'records/s' | 'requests/s' | '% of a core' | 'events/s' | 'commits/s' | 'rows/s'
  /** A figure of the database patterns brings its own: what it prepares, and how a turn goes. */
  load: 'produce' | 'consume' | 'http' | 'idle' | PrepareFigure
  contestants: [ours: Contestant, ...peers: Contestant[]]
  goals: Goal[]
}

/** A figure on MariaDB, perhaps with Debezium. */
export type DatabaseFigure = Figure & { load: PrepareFigure }
export type BrokerFigure = Figure & { load: string }

const memoryLimit: LimitGoal = { of: 'residentMb', atMost: 200 }

const script = (name: string, file: string): Contestant => ({ name, run: { kind: 'script', file } })
/** With the memory of the service whose producer it is. */
const ourProducer = (file: string): Contestant => ({
  name: OURS,
  run: { kind: 'script', file, env: memoryBoundsOf('simple-producer') },
})
const service = (name: string, folder: string, env: Record<string, string>): Contestant => ({
  name,
  run: { kind: 'service', service: folder, env: { LOG_LEVEL: 'warn', ...env } },
})

/** As docker-compose.yml runs it, with its log. */
const databaseService = (name: string, folder: string, env: Record<string, string> = {}): Contestant => ({
  name,
  run: { kind: 'service', service: folder, env },
})
const debezium = (
  connector: 'cdc' | 'outbox' | 'jdbc',
  name: string,
  config: Record<string, string>,
): Contestant => ({ name: `${DEBEZIUM}${name}`, run: { kind: 'debezium', connector, config } })

const KAFKAJS = 'kafkajs 2.2.4'
const PLATFORMATIC = '@platformatic/kafka 2.12.1'
const DEBEZIUM = 'Debezium 3.5.0.Final'
export const OURS = 'kafka-pattern'

const sourcesOf = (connector: 'cdc' | 'outbox') => ({
  defaults: debezium(connector, ', defaults', {}),
  tuned: debezium(connector, ', tuned', tuned),
})
const outboxSources = sourcesOf('outbox')
const tableSources = sourcesOf('cdc')
const relay: Contestant = { ...databaseService(OURS, 'outbox-relay'), exactlyOnce: true }
const jdbcSink = (name: string, config: Record<string, string>): Contestant =>
  // A batch is never larger than what one poll of the consumer brings, 500 by default.
  debezium('jdbc', name, { 'batch.size': '3000', 'consumer.override.max.poll.records': '3000', ...config })
const jdbcOneTask = jdbcSink(' JDBC sink, batches of 3,000', { 'tasks.max': '1' })
const jdbcThreeTasks = jdbcSink(' JDBC sink, batches of 3,000, 3 tasks', { 'tasks.max': '3' })

export const figures: Figure[] = [
  {
    id: 'single-sends',
    title: 'Single sends, 512 in flight',
    unit: 'records/s',
    load: 'produce',
    contestants: [
      ourProducer('single-sends/kafka-pattern.ts'),
      script(KAFKAJS, 'single-sends/kafkajs.ts'),
      script(PLATFORMATIC, 'single-sends/platformatic.ts'),
    ],
    goals: [
      { peer: KAFKAJS, of: 'value', ratio: { atLeast: 8 } },
      { peer: KAFKAJS, of: 'p99Ms', ratio: { atMost: 0.5 } },
      memoryLimit,
    ],
  },
  {
    id: 'batches',
    title: 'Batches of 1,000, one in flight',
    unit: 'records/s',
    load: 'produce',
    contestants: [
      ourProducer('batches/kafka-pattern.ts'),
      script(KAFKAJS, 'batches/kafkajs.ts'),
      script(PLATFORMATIC, 'batches/platformatic.ts'),
    ],
    goals: [
      { peer: KAFKAJS, of: 'value', ratio: { atLeast: 2 } },
      { peer: PLATFORMATIC, of: 'value', ratio: { atLeast: 1 } },
      memoryLimit,
    ],
  },
  {
    id: 'batch-consumer',
    title: 'batch-consumer, BATCH_SIZE 500, each value parsed and validated',
    unit: 'records/s',
    load: 'consume',
    contestants: [
      // Or each turn would wait 5 s, unmeasured, for the last batch of each partition.
      service(OURS, 'batch-consumer', { BATCH_SIZE: '500', BATCH_TIMEOUT_MS: '100' }),
      script(`${KAFKAJS} eachBatch + JSON.parse`, 'consuming/kafkajs-each-batch.ts'),
      script(`${PLATFORMATIC} + JSON.parse`, 'consuming/platformatic.ts'),
      script(`${PLATFORMATIC} + JSON.parse, maxBytes 4 MiB`, 'consuming/platformatic-tuned.ts'),
    ],
    goals: [
      { peer: `${KAFKAJS} eachBatch + JSON.parse`, of: 'value', ratio: { atLeast: 0.85 } },
      { peer: `${PLATFORMATIC} + JSON.parse, maxBytes 4 MiB`, of: 'value', ratio: { atLeast: 1 } },
      memoryLimit,
    ],
  },
  {
    id: 'simple-consumer',
    title: 'simple-consumer, without printing and with one line a record to a file',
    unit: 'records/s',
    load: 'consume',
    contestants: [
      service(OURS, 'simple-consumer', { PRINT: 'false' }),
      service(`${OURS}, printing`, 'simple-consumer', {}),
      script(`${KAFKAJS} eachMessage`, 'consuming/kafkajs-each-message.ts'),
    ],
    goals: [
      { peer: `${KAFKAJS} eachMessage`, of: 'value', ratio: { atLeast: 0.85 } },
      {
        contestant: `${OURS}, printing`,
        peer: `${KAFKAJS} eachMessage`,
        of: 'value',
        ratio: { atLeast: 0.5 },
      },
      memoryLimit,
    ],
  },
  {
    id: 'http',
    title: 'POST /create, 64 connections',
    unit: 'requests/s',
    load: 'http',
    contestants: [
      service(OURS, 'simple-producer', { LOG_LEVEL: 'info' }),
      script('Express 5 + kafkajs, connect per request', 'http/express-connect-per-request.ts'),
      script('Express 5 + kafkajs, one producer', 'http/express-one-producer.ts'),
    ],
    goals: [
      { peer: 'Express 5 + kafkajs, connect per request', of: 'value', ratio: { atLeast: 6 } },
      { peer: 'Express 5 + kafkajs, connect per request', of: 'p99Ms', ratio: { atMost: 1 } },
      { peer: 'Express 5 + kafkajs, one producer', of: 'value', ratio: { atLeast: 2 } },
      { peer: 'Express 5 + kafkajs, one producer', of: 'p99Ms', ratio: { atMost: 1 } },
      memoryLimit,
    ],
  },
  {
    id: 'idle',
    title: 'Idle: producer and consumer connected',
    unit: '% of a core',
    load: 'idle',
    contestants: [
      script(OURS, 'idle/kafka-pattern.ts'),
      script(KAFKAJS, 'idle/kafkajs.ts'),
      script(PLATFORMATIC, 'idle/platformatic.ts'),
    ],
    goals: [{ of: 'value', atMost: 0.5 }],
  },
  {
    id: 'outbox-drain',
    title: 'Outbox to Kafka: a backlog of 400,000 events; the relay exactly once, the others at least once',
    unit: 'events/s',
    load: prepareOutboxDrain,
    contestants: [
      relay,
      outboxSources.defaults,
      outboxSources.tuned,
      {
        name: 'naive relay (SKIP LOCKED, send each, 10,000)',
        run: { kind: 'script', file: 'outbox-drain/naive-relay.ts' },
      },
    ],
    goals: [{ peer: outboxSources.tuned.name, of: 'value', ratio: { atLeast: 1.2 } }, memoryLimit],
  },
  {
    id: 'outbox-live',
    title: 'Outbox to Kafka while 8 writers write 200,000 events',
    unit: 'events/s',
    load: prepareOutboxLive,
    contestants: [relay, outboxSources.defaults, outboxSources.tuned],
    goals: [
      { peer: outboxSources.tuned.name, of: 'value', ratio: { atLeast: 1 } },
      { peer: outboxSources.tuned.name, of: 'writtenPerSecond', ratio: { atLeast: 1 } },
      memoryLimit,
    ],
  },
  {
    id: 'commit-latency',
    title: 'COMMIT to consumer (read_committed), at 1,000 commits a second',
    unit: 'commits/s',
    load: prepareCommitLatency,
    contestants: [relay, outboxSources.defaults, outboxSources.tuned],
    goals: [
      { peer: outboxSources.tuned.name, of: 'p50Ms', ratio: { atMost: 1 } },
      { peer: outboxSources.tuned.name, of: 'p99Ms', ratio: { atMost: 1 } },
      memoryLimit,
    ],
  },
  {
    id: 'table-drain',
    title: 'Table to Kafka: 500,000 users',
    unit: 'rows/s',
    load: prepareTableDrain,
    contestants: [databaseService(OURS, 'cdc-poller'), tableSources.defaults, tableSources.tuned],
    goals: [{ peer: tableSources.tuned.name, of: 'value', ratio: { atLeast: 1.5 } }, memoryLimit],
  },
  {
    id: 'sink',
    title: 'Kafka to a replica: 500,000 changes of users',
    unit: 'records/s',
    load: prepareSink,
    contestants: [databaseService(OURS, 'mysql-sink-consumer'), jdbcOneTask, jdbcThreeTasks],
    goals: [
      { peer: jdbcOneTask.name, of: 'value', ratio: { atLeast: 3 } },
      { peer: jdbcThreeTasks.name, of: 'value', ratio: { atLeast: 2.5 } },
      memoryLimit,
    ],
  },
  {
    id: 'registry-writes',
    title: 'POST /users, 64 connections: what the outbox costs',
    unit: 'requests/s',
    load: prepareRegistryWrites,
    contestants: [
      databaseService(`${OURS}, row and outbox`, 'user-registry', { WRITE_MODE: 'outbox' }),
      databaseService(`${OURS}, row alone`, 'user-registry', { WRITE_MODE: 'table' }),
    ],
    goals: [{ peer: `${OURS}, row alone`, of: 'value', ratio: { atLeast: 0.85 } }, memoryLimit],
  },
]
