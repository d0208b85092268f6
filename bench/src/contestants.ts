/**
 * Who runs in which figure, and the ratio this project means to reach against each peer in the same run.
 */
export interface Contestant {
  name: string
  run: { kind: 'script'; file: string } | { kind: 'service'; service: string; env: Record<string, string> }
}

export type Goal = RatioGoal | LimitGoal

/** One of our contestants (the first, if none is named) divided by a peer. */
export interface RatioGoal {
  peer: string
  contestant?: string
  of: 'value' | 'p99Ms'
  ratio: { atLeast: number } | { atMost: number }
}

/** What none of our own contestants may exceed. */
export interface LimitGoal {
  of: 'value' | 'residentMb'
  atMost: number
}

export interface Figure {
  id: 'single-sends' | 'batches' | 'batch-consumer' | 'simple-consumer' | 'http' | 'idle'
  title: string
  unit: 'records/s' | 'requests/s' | '% of a core'
  load: 'produce' | 'consume' | 'http' | 'idle'
  contestants: [ours: Contestant, ...peers: Contestant[]]
  goals: Goal[]
}

const memoryLimit: LimitGoal = { of: 'residentMb', atMost: 200 }

const script = (name: string, file: string): Contestant => ({ name, run: { kind: 'script', file } })
const service = (name: string, folder: string, env: Record<string, string>): Contestant => ({
  name,
  run: { kind: 'service', service: folder, env: { LOG_LEVEL: 'warn', ...env } },
})

const KAFKAJS = 'kafkajs 2.2.4'
const PLATFORMATIC = '@platformatic/kafka 2.12.1'
export const OURS = 'kafka-pattern'

export const figures: Figure[] = [
  {
    id: 'single-sends',
    title: 'Single sends, 512 in flight',
    unit: 'records/s',
    load: 'produce',
    contestants: [
      script(OURS, 'single-sends/kafka-pattern.ts'),
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
      script(OURS, 'batches/kafka-pattern.ts'),
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
      // The last batch of each partition is not full: its timeout would be measured instead of the work.
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
]
