import { soon } from '@kafka-pattern/test-kit/soon'
import { setImmediate as turn } from 'node:timers/promises'
import { MysqlConfigError } from '@kafka-pattern/mysql-config'
import { describe, expect, test } from 'vitest'
import { createSink } from './sink.ts'
import type { Delivery, DeliveryMode, Outcome, Position } from './delivery.ts'
import type { SinkReport } from './sink-report.ts'
import type { UserState } from '@kafka-pattern/events'
import type {
  GroupConsumer,
  GroupConsumerHandlers,
  KafkaRecord,
  TopicPartition,
} from '@kafka-pattern/kafka-config'

const unobserved: SinkReport = {
  behind: () => {},
  began: () => () => {},
  waiting: () => {},
  overtaken: () => {},
  groupCommitFailed: () => {},
  gaveUp: () => {},
  deadLettered: () => {},
  deadLetterRefused: () => {},
}

const nothingWritten = { upserted: 0, deleted: 0, buried: 0, stale: 0 }
const applied: Outcome = { state: 'applied', written: nothingWritten }

function fetched(first: number, count: number, assignment = 1) {
  const records: KafkaRecord[] = Array.from({ length: count }, (_, index) => {
    const id = `00000000-0000-4000-8000-${String(first + index).padStart(12, '0')}`
    const moment = '2026-11-23T12:00:00.000000Z'
    const state: UserState = {
      id,
      name: 'Ada',
      level: 1,
      version: 1,
      created_at: moment,
      updated_at: moment,
      deleted_at: null,
    }
    const value = Buffer.from(JSON.stringify(state))
    return {
      key: Buffer.from(id),
      value,
      timestamp: '0',
      attributes: 0,
      offset: String(first + index),
      headers: {},
    }
  })
  const nextOffset = String(first + count)
  return { topic: 't', partition: 0, records, nextOffset, highWatermark: '100', assignment }
}

/** A group consumer that does as it is told, and remembers what it was told. */
class FakeConsumer implements GroupConsumer {
  readonly joined = true
  readonly told: string[] = []
  #handlers: GroupConsumerHandlers | null = null

  get handlers(): GroupConsumerHandlers {
    if (this.#handlers === null) throw new Error('not started')
    return this.#handlers
  }
  async start(handlers: GroupConsumerHandlers): Promise<void> {
    this.#handlers = handlers
  }
  async stop(): Promise<void> {
    await this.handlers.onRevoked?.()
  }
  async commit() {
    return 'committed' as const
  }
  pause(_partition: TopicPartition): void {
    this.told.push('pause')
  }
  resume(_partition: TopicPartition): void {
    this.told.push('resume')
  }
  seek(_partition: TopicPartition, offset: string): void {
    this.told.push(`seek ${offset}`)
  }
  onFatal(): void {}
}

/** A mode whose positions and outcomes the test decides; each delivery is noted as `from-to`. */
class FakeMode implements DeliveryMode {
  readonly deliveries: string[] = []
  position: () => Position = () => ({ state: 'at', offset: '0' })
  outcome: (delivery: Delivery) => Outcome | Promise<Outcome> = () => applied
  async findPosition() {
    return this.position()
  }
  async deliver(delivery: Delivery) {
    this.deliveries.push(`${delivery.from}-${delivery.to}`)
    return this.outcome(delivery)
  }
}

async function started(mode: FakeMode, drainTimeoutMs = 1_000, report = unobserved) {
  const consumer = new FakeConsumer()
  const defects: Error[] = []
  const dead: string[] = []
  const sink = createSink({
    consumer,
    mode,
    deadLetters: {
      refused: false,
      async publish(_place, record) {
        dead.push(record.offset)
        return 'done'
      },
    },
    report,
    batchSize: 2,
    drainTimeoutMs,
    onDefect: error => void defects.push(error),
  })
  await sink.start()
  await consumer.handlers.onAssigned?.([{ topic: 't', partition: 0 }], 1)
  await turn()
  return { consumer, sink, defects, dead }
}

describe('the position', () => {
  test('is sought before anything is delivered, and moves with each batch', async () => {
    const mode = new FakeMode()
    mode.position = () => ({ state: 'at', offset: '7' })
    const { consumer } = await started(mode)
    expect(consumer.told).toEqual(['pause', 'seek 7', 'resume'])
    await consumer.handlers.onRecords(fetched(9, 3))
    await soon(() => expect(mode.deliveries).toEqual(['7-11', '11-12']))
  })

  test("that is the group's is not sought, and begins with the first record", async () => {
    const mode = new FakeMode()
    mode.position = () => ({ state: "the group's" })
    const { consumer } = await started(mode)
    expect(consumer.told).toEqual(['pause', 'resume'])
    await consumer.handlers.onRecords(fetched(9, 2))
    await soon(() => expect(mode.deliveries).toEqual(['9-11']))
  })

  test('overtaken: what was gathered before is dropped, and it reads on from where the position is', async () => {
    const mode = new FakeMode()
    const { consumer } = await started(mode)
    mode.outcome = () => ({ state: 'overtaken' })
    mode.position = () => ({ state: 'at', offset: '50' })
    await consumer.handlers.onRecords(fetched(0, 6))
    await soon(() => expect(consumer.told.slice(-3)).toEqual(['pause', 'seek 50', 'resume']))
    mode.outcome = () => applied
    await consumer.handlers.onRecords(fetched(50, 1))
    await soon(() => expect(mode.deliveries).toEqual(['0-2', '50-51']))
  })

  test('of a partition that is somebody else’s by now is left alone', async () => {
    const mode = new FakeMode()
    const { consumer } = await started(mode)
    mode.outcome = () => ({ state: 'overtaken' })
    mode.position = () => ({ state: 'not owned' })
    await consumer.handlers.onRecords(fetched(0, 6))
    await soon(() => expect(consumer.told.at(-1)).toBe('pause'))
    await turn()
    expect(mode.deliveries).toEqual(['0-2'])
  })
})

describe('trouble', () => {
  test('that passes is waited out: the same batch again, nothing dead-lettered', async () => {
    const mode = new FakeMode()
    let attempts = 0
    mode.outcome = () => {
      if (++attempts < 3) throw new MysqlConfigError('away', 'unavailable')
      return applied
    }
    const { consumer, dead, defects } = await started(mode)
    await consumer.handlers.onRecords(fetched(0, 1))
    await soon(() => expect(mode.deliveries).toEqual(['0-1', '0-1', '0-1']))
    expect([dead, defects]).toEqual([[], []])
  })

  test('that does not pass is a defect, not a dead letter', async () => {
    const mode = new FakeMode()
    mode.outcome = () => {
      throw new MysqlConfigError('no such table', 'fatal')
    }
    const { consumer, dead, defects } = await started(mode)
    await consumer.handlers.onRecords(fetched(0, 1))
    await soon(() => expect(defects.map(({ message }) => message)).toEqual(['no such table']))
    expect(dead).toEqual([])
  })
})

/** Notes what is told of the lag of a partition, and its end. */
function lagReport() {
  const lags: (number | 'gave up')[] = []
  const report: SinkReport = {
    ...unobserved,
    behind: (_partition, records) => void lags.push(records),
    gaveUp: () => void lags.push('gave up'),
  }
  return { lags, report }
}

describe('the lag', () => {
  test('is told with every fetch and every batch that is applied: what follows the applied position', async () => {
    const mode = new FakeMode()
    mode.position = () => ({ state: 'at', offset: '10' })
    const { lags, report } = lagReport()
    const { consumer } = await started(mode, 1_000, report)
    // Offsets may have gaps.
    await consumer.handlers.onRecords(fetched(12, 1))
    await soon(() => expect(mode.deliveries).toEqual(['10-13']))
    await turn()
    expect(lags).toEqual([90, 87])
  })

  test('grows while the database is away', async () => {
    const mode = new FakeMode()
    mode.outcome = () => {
      throw new MysqlConfigError('away', 'unavailable')
    }
    const { lags, report } = lagReport()
    const { consumer, sink } = await started(mode, 1_000, report)
    await consumer.handlers.onRecords({ ...fetched(0, 1), highWatermark: '1' })
    await consumer.handlers.onRecords({ ...fetched(1, 1), highWatermark: '5' })
    expect(lags).toEqual([1, 5])
    await sink.stop()
  })

  test("counts from the first record that was fetched where the position is the group's", async () => {
    const mode = new FakeMode()
    mode.position = () => ({ state: "the group's" })
    const { lags, report } = lagReport()
    const { consumer } = await started(mode, 1_000, report)
    await consumer.handlers.onRecords(fetched(90, 1))
    expect(lags).toEqual([10])
  })

  test('is not told by a batch that is applied after its partition was given up', async () => {
    const mode = new FakeMode()
    const written = Promise.withResolvers<Outcome>()
    mode.outcome = () => written.promise
    const { lags, report } = lagReport()
    const { consumer, sink } = await started(mode, 10, report)
    await consumer.handlers.onRecords(fetched(0, 1))
    await soon(() => expect(mode.deliveries).toEqual(['0-1']))
    await sink.stop()
    written.resolve(applied)
    await turn()
    expect(lags).toEqual([100, 'gave up'])
  })
})

describe('giving partitions up', () => {
  test('awaits the batch that is being written, and begins no other', async () => {
    const mode = new FakeMode()
    const written = Promise.withResolvers<Outcome>()
    mode.outcome = () => written.promise
    const { consumer, sink } = await started(mode, 60_000)
    await consumer.handlers.onRecords(fetched(0, 6))
    await soon(() => expect(mode.deliveries).toEqual(['0-2']))
    let stopped = false
    const stopping = sink.stop().then(() => (stopped = true))
    await turn()
    expect(stopped).toBe(false)
    written.resolve(applied)
    await stopping
    expect(mode.deliveries).toEqual(['0-2'])
  })

  test('does not wait for a database that is away', async () => {
    const mode = new FakeMode()
    mode.outcome = () => {
      throw new MysqlConfigError('away', 'unavailable')
    }
    const { consumer, sink, defects } = await started(mode, 60_000)
    await consumer.handlers.onRecords(fetched(0, 1))
    await soon(() => expect(mode.deliveries.length).toBeGreaterThan(0))
    await sink.stop()
    expect(defects).toEqual([])
  })

  test('does not wait for a write that hangs longer than the limit', async () => {
    const mode = new FakeMode()
    mode.outcome = () => new Promise(() => {})
    const { consumer, sink } = await started(mode, 10)
    await consumer.handlers.onRecords(fetched(0, 1))
    await soon(() => expect(mode.deliveries).toEqual(['0-1']))
    await sink.stop()
  })

  test('takes nothing that was fetched under an assignment that is over', async () => {
    const mode = new FakeMode()
    const { consumer } = await started(mode)
    await consumer.handlers.onRevoked?.()
    await consumer.handlers.onRecords(fetched(0, 2))
    await consumer.handlers.onAssigned?.([{ topic: 't', partition: 0 }], 2)
    await turn()
    await consumer.handlers.onRecords(fetched(0, 2, 1))
    await consumer.handlers.onRecords(fetched(2, 2, 2))
    await soon(() => expect(mode.deliveries).toEqual(['0-4']))
  })
})
