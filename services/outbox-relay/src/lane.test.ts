import { ProducerFencedError } from '@kafka-pattern/kafka-config'
import { afterEach, describe, expect, test } from 'vitest'
import { Lane } from './lane.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { RelayReport } from './relay-report.ts'
import type { Scan } from './scan.ts'
import type { Position, TransactionalProducer } from '@kafka-pattern/kafka-config'
import type { Mysql, Row } from '@kafka-pattern/mysql-config'

const fenced = new ProducerFencedError('relay-lane-0', new Error('a newer epoch'))

/** What is around the lane, as it stands now. */
interface Surroundings {
  isHeld: boolean
  opens: number
  position: Position | null
  open: () => Promise<void>
  publish: () => Promise<void>
}

let lane: Lane | undefined
afterEach(() => lane?.stop())

function createLane(changes: Partial<Surroundings> = {}): { lane: Lane; around: Surroundings } {
  const around: Surroundings = {
    isHeld: true,
    opens: 0,
    position: null,
    open: async () => {},
    publish: async () => {},
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
  lane = new Lane({
    lane: 0,
    lanes: 1,
    owner: 'relay',
    producer,
    mysql: mysqlOf(around),
    topics: { refusalOf: async () => null, forget: () => {} },
    report: silentReport,
    startAfterSeq: 0,
    batchRows: 10,
    maxAttempts: 3,
    idleCommitMs: 60_000,
    keepAliveMs: 60_000,
  })
  return { lane, around }
}

/** Has the leases; nothing is parked. */
function mysqlOf(around: Surroundings): Mysql {
  const mysql: Partial<Mysql> = {
    rows: async <R extends Row>(sql: string) =>
      (sql.includes('relay_leases') && around.isHeld ? [{ lane: 0 }] : []) as Row[] as R[],
  }
  return mysql as Mysql
}

const ignored = (): void => {}
const silentReport: RelayReport = {
  laneTaken: ignored,
  laneEnded: ignored,
  laneGiven: ignored,
  published: ignored,
  parked: ignored,
  transactionFailed: ignored,
  waiting: ignored,
  databaseAway: ignored,
  leasesUnknown: ignored,
  state: ignored,
  stop: ignored,
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
