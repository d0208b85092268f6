import { soon } from '@kafka-pattern/test-kit/soon'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { KafkaConfigError, ProducerFencedError, RecordsRefusedError } from '@kafka-pattern/kafka-config'
import { afterEach, describe, expect, test } from 'vitest'
import { emptyCursor } from './cursor.ts'
import { Lane } from './lane.ts'
import { silentReport } from './test-report.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { Scan } from './scan.ts'
import type { Position, TransactionalProducer } from '@kafka-pattern/kafka-config'
import type { Mysql } from '@kafka-pattern/mysql-config'

const away = new KafkaConfigError('away', 'retryable')
const fenced = new ProducerFencedError('relay-lane-0', new Error('a newer epoch'))

/** What is around the lane, as it stands now. */
interface Surroundings {
  isHeld: boolean
  opens: number
  position: Position | null
  /** What is noted in the leases. */
  publishedUpTo: string | null
  open: () => Promise<void>
  publish: () => Promise<void>
  topic: () => Promise<null>
}

let created: Lane | undefined
afterEach(() => created?.stop())

function createLane(changes: Partial<Surroundings> = {}): { lane: Lane; around: Surroundings } {
  const around: Surroundings = {
    isHeld: true,
    opens: 0,
    position: null,
    publishedUpTo: null,
    open: async () => {},
    publish: async () => {},
    topic: async () => null,
    ...changes,
  }
  const producer: TransactionalProducer = {
    open: () => {
      around.opens++
      return around.open()
    },
    position: async () => around.position,
    publish: async (_records, position) => {
      await around.publish()
      around.position = position
    },
    close: async () => {},
  }
  const lane = new Lane({
    lane: 0,
    lanes: 1,
    owner: 'relay',
    producer,
    mysql: mysqlOf(around),
    topics: { refusalOf: () => around.topic(), forget: () => {} },
    report: silentReport,
    startAfterSeq: 0,
    batchRows: 10,
    maxAttempts: 3,
    idleCommitMs: 60_000,
    keepAliveMs: 60_000,
  })
  created = lane
  return { lane, around }
}

/** Has the leases; nothing is parked. */
function mysqlOf(around: Surroundings): Mysql {
  const mysql = {
    rows: async (sql: string) =>
      sql.includes('relay_leases') && around.isHeld ? [{ lane: 0, mark: around.publishedUpTo }] : [],
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
  return mysql as Pick<Mysql, 'rows'> as Mysql
}

const row: OutboxRow = {
  seq: 1,
  id: 'id',
  aggregatetype: 'user',
  aggregateid: 'a',
  lane: 0,
  record: { topic: 'outbox.event.user', key: 'a', value: '1' },
  sizeBytes: 1,
}
const scan: Scan = { rows: [row], high: 1, gaps: [], closed: [], more: false, leftOut: null }

describe('a lane that somebody else takes over meanwhile is not taken back', () => {
  test('while it is opened', async () => {
    const { lane, around } = createLane()
    around.open = () => {
      around.isHeld = false
      return Promise.reject(fenced)
    }
    expect(await lane.open()).toBe(false)
    expect(around.opens).toBe(1)
  })

  test('while it is opened again after a failure', async () => {
    const { lane, around } = createLane({ publish: () => Promise.reject(fenced) })
    await lane.open()
    around.open = () => {
      around.isHeld = false
      return Promise.reject(fenced)
    }
    lane.offer(scan, scan.rows)
    expect(await lane.run()).toBe('lost')
    expect(around.opens).toBe(2)
  })
})

test('two relays that shut each other out again and again do so with pauses', async () => {
  const { lane, around } = createLane({
    publish: async () => {
      await nextTurn()
      throw fenced
    },
  })
  await lane.open()
  lane.offer(scan, scan.rows)
  const running = lane.run()
  await delay(500)
  lane.stop()
  expect(await running).toBe('stopped')
  expect(around.opens).toBeLessThan(50)
})

test('a position that Kafka forgets while relays are running is not taken for a beginning', async () => {
  const position = { offset: '1000', metadata: '1/1/' }
  const { lane, around } = createLane({ position, publishedUpTo: '1000' })
  await lane.open()
  around.publish = () => {
    around.position = null
    return Promise.reject(away)
  }
  lane.offer({ ...scan, high: 1_001 }, [{ ...row, seq: 1_001 }])
  expect(await lane.run()).toBe('lost')

  const again = createLane({ publishedUpTo: '1000' })
  await expect(again.lane.open()).rejects.toThrow(/published up to about 1000, but Kafka has no position/)
  expect(again.lane.ahead).toEqual(emptyCursor)
})

test('that a transaction has ended is told when it has, and not before; and that the lane has stopped', async () => {
  const stored = Promise.withResolvers<void>()
  const { lane } = createLane({ publish: () => stored.promise })
  await lane.open()
  let ends = 0
  lane.onTransactionEnd = () => void ends++
  lane.offer(scan, scan.rows)
  const running = lane.run()
  await soon(() => expect(lane.busy).toBe(true))
  await nextTurn()
  expect(ends).toBe(0)

  stored.resolve()
  await soon(() => expect(ends).toBe(1))
  expect(lane.busy).toBe(false)
  lane.stop()
  expect(ends).toBe(2)
  await running
})

describe('a lane is not healthy', () => {
  test('while it waits for Kafka, after a record was refused, too', async () => {
    const refused = new RecordsRefusedError([
      { topic: 'outbox.event.user', type: 'INVALID_RECORD', indexes: [0] },
    ])
    const { lane, around } = createLane({ publish: () => Promise.reject(refused) })
    await lane.open()
    expect(lane.healthy).toBe(true)
    around.open = () => Promise.reject(away)
    lane.offer(scan, scan.rows)
    const running = lane.run()
    await soon(() => expect(lane.healthy).toBe(false))

    around.publish = async () => {}
    around.open = async () => {}
    await soon(() => expect(lane.healthy).toBe(true))
    lane.stop()
    await running
  })

  test('while a topic cannot be made', async () => {
    const made = Promise.withResolvers<null>()
    const { lane } = createLane({ topic: () => made.promise })
    await lane.open()
    lane.offer(scan, scan.rows)
    const running = lane.run()
    await soon(() => expect(lane.busy).toBe(true))
    expect(lane.healthy, 'it may be there in a moment').toBe(true)
    await soon(() => expect(lane.healthy).toBe(false))

    made.resolve(null)
    await soon(() => expect(lane.healthy).toBe(true))
    lane.stop()
    await running
  })
})
