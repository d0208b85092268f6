import { createLogger } from '@kafka-pattern/service-runtime'
import { createDatabase, eventually, testKafka } from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test, vi } from 'vitest'
import { EventTopics } from './event-topics.ts'
import { LaneKeeper } from './lane-keeper.ts'
import { LaneLeases, requireLanes } from './lane-leases.ts'
import { silentReport } from './test-report.ts'
import type { RelayReport } from './relay-report.ts'
import type { TransactionalProducer } from '@kafka-pattern/kafka-config'
import type { Mysql } from '@kafka-pattern/mysql-config'

test('a lane that is being given up is not taken back before it is released', async () => {
  const { mysql, leases } = await createLeases()
  const renewals = vi.spyOn(leases, 'renew')
  const release = leases.release.bind(leases)
  const released = Promise.withResolvers<void>()
  vi.spyOn(leases, 'release').mockImplementation(lane => released.promise.then(() => release(lane)))
  const { keeper, events } = startKeeper(mysql, leases)
  onTestFinished(() => released.resolve())
  await eventually(() => expect(events.toSorted()).toEqual(['0 taken', '1 taken']), { what: 'both lanes' })

  await mysql.write(join)
  await eventually(() => expect(keeper.lanes).toHaveLength(1), { what: 'lane 1 to end' })
  await mysql.write("DELETE FROM relay_members WHERE relay = 'relay-2'")
  const before = renewals.mock.calls.length
  await eventually(() => expect(renewals.mock.calls.length).toBeGreaterThan(before + 3), {
    what: 'rounds in which the lane is its own again, and not yet released',
  })
  expect(keeper.has(1)).toBe(false)

  released.resolve()
  await eventually(() => expect(events.slice(2)).toEqual(['1 given up', '1 taken']), {
    what: 'the lane to be taken anew',
  })
})

test('a lane whose release an outage kept from the database is released in a later round', async () => {
  const { mysql, leases } = await createLeases()
  const outage = Object.assign(new Error('cut'), { code: 'ECONNRESET' })
  vi.spyOn(leases, 'release').mockRejectedValueOnce(outage)
  const { events } = startKeeper(mysql, leases)
  await eventually(() => expect(events.toSorted()).toEqual(['0 taken', '1 taken']), { what: 'both lanes' })

  await mysql.write(join)
  await eventually(() => expect(events.slice(2)).toEqual(['1 given up']), { what: 'lane 1 to be released' })
  expect(await ownersOf(mysql)).toEqual(['relay', null])
})

test('a restarted relay releases a lane that it held before and should not have any more', async () => {
  const { mysql, leases } = await createLeases()
  await leases.claim([0, 1])
  await mysql.write(join)
  const { events } = startKeeper(mysql, leases)
  await eventually(() => expect(events.toSorted()).toEqual(['0 taken', '1 given up']), {
    what: 'lane 1 to be released',
  })
  expect(await ownersOf(mysql)).toEqual(['relay', null])
})

/** Another relay is alive. */
const join = "INSERT INTO relay_members VALUES ('relay-2', NOW(6) + INTERVAL 5 MINUTE)"

async function createLeases(): Promise<{ mysql: Mysql; leases: LaneLeases }> {
  const { root: mysql } = await createDatabase()
  await requireLanes(mysql, 2)
  return { mysql, leases: new LaneLeases({ mysql, owner: 'relay', leaseMs: 60_000 }) }
}

async function ownersOf(mysql: Mysql): Promise<(string | null)[]> {
  const rows = await mysql.rows<{ owner: string | null }>('SELECT owner FROM relay_leases ORDER BY lane')
  return rows.map(({ owner }) => owner)
}

/** A keeper of lanes without rows, and what becomes of them. */
function startKeeper(mysql: Mysql, leases: LaneLeases): { keeper: LaneKeeper; events: string[] } {
  const { events, report } = recordLanes()
  const keeper = new LaneKeeper({
    leases,
    report,
    laneOptions: lane => ({
      lane,
      lanes: 2,
      owner: 'relay',
      mysql,
      report,
      producer: idleProducer,
      topics: anyTopics(),
      startAfterSeq: 0,
      batchRows: 1,
      maxAttempts: 1,
      idleCommitMs: 60_000,
      keepAliveMs: 60_000,
    }),
    heartbeatMs: 5,
    onFatal: error => events.push(error.message),
  })
  onTestFinished(() => keeper.stop())
  keeper.start()
  return { keeper, events }
}

/** What becomes of the lanes, in order. */
function recordLanes(): { events: string[]; report: RelayReport } {
  const events: string[] = []
  return {
    events,
    report: {
      ...silentReport,
      laneTaken: lane => events.push(`${lane} taken`),
      laneGiven: lane => events.push(`${lane} given up`),
    },
  }
}

const idleProducer: TransactionalProducer = {
  open: async () => {},
  position: async () => null,
  publish: async () => {},
  close: async () => {},
}

function anyTopics(): EventTopics {
  return new EventTopics({
    kafka: testKafka().kafka,
    logger: createLogger({ name: 'test', level: 'silent' }),
    partitions: 1,
    replicationFactor: 1,
    aggregateTypes: null,
    maxAttempts: 1,
    stopping: new AbortController().signal,
  })
}
