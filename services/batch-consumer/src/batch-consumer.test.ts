import { soon } from '@kafka-pattern/test-kit/soon'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createBatchConsumer } from './batch-consumer.ts'
import type { BatchReport } from './batch-report.ts'
import type { BatchHandler } from './handler.ts'
import type {
  CommitOutcome,
  GroupConsumer,
  GroupConsumerHandlers,
  KafkaRecord,
} from '@kafka-pattern/kafka-config'

const unobserved: BatchReport = {
  behind: () => {},
  began: () => () => {},
  processed: () => {},
  isolating: () => {},
  retrying: () => {},
  deadLettered: () => {},
  deadLetterRefused: () => {},
  committed: () => {},
  commitRefused: () => {},
  gaveUp: () => {},
}

function fetched(assignment: number, offsets: number[]) {
  const value = Buffer.from(
    '{"id":"8e6f3cd0-0d10-4b5f-8a55-3d0c8f5d8f6a","event":"create","level":1,"name":"a"}',
  )
  const records: KafkaRecord[] = offsets.map(offset => ({
    key: null,
    value,
    timestamp: '0',
    attributes: 0,
    offset: String(offset),
    headers: {},
  }))
  const nextOffset = String(offsets.at(-1)! + 1)
  return { topic: 't', partition: 0, records, nextOffset, highWatermark: '100', assignment }
}

/** A group consumer that does as it is told and remembers what was committed. */
class FakeConsumer implements GroupConsumer {
  readonly joined = true
  readonly commits: [nextOffset: string, assignment: number][] = []
  onCommit: () => Promise<CommitOutcome> = () => Promise.resolve('committed')
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
  async commit(
    _topic: string,
    _partition: number,
    nextOffset: string,
    assignment: number,
  ): Promise<CommitOutcome> {
    this.commits.push([nextOffset, assignment])
    return this.onCommit()
  }
  pause(): void {}
  resume(): void {}
  seek(): void {}
  onFatal(): void {}
}

async function started(handle: BatchHandler, { drainTimeoutMs = 1_000, report = unobserved } = {}) {
  const consumer = new FakeConsumer()
  const defects: Error[] = []
  const batchConsumer = createBatchConsumer({
    consumer,
    handle,
    deadLetters: { refused: false, publish: () => Promise.resolve('done') },
    retryPolicy: { kind: 'fixed', delayMs: 0, maxAttempts: 1 },
    report,
    limits: { batchSize: 2, batchBytes: 1_000_000, batchTimeoutMs: 60_000 },
    drainTimeoutMs,
    onDefect: error => void defects.push(error),
  })
  await batchConsumer.start()
  await consumer.handlers.onAssigned?.([{ topic: 't', partition: 0 }], 1)
  return { consumer, batchConsumer, defects }
}

describe('what is committed', () => {
  test('each batch when it is done, before the next one begins', async () => {
    const steps: string[] = []
    const { consumer } = await started(records => void steps.push(`handle ${records[0]?.record.offset}`))
    consumer.onCommit = async () => {
      await turn()
      steps.push(`committed ${consumer.commits.at(-1)?.[0]}`)
      return 'committed'
    }
    await consumer.handlers.onRecords(fetched(1, [0, 1, 2, 3]))
    await soon(() => expect(steps).toEqual(['handle 0', 'committed 2', 'handle 2', 'committed 4']))
  })

  test('nothing of a batch that ends after it was abandoned', async () => {
    const gate = Promise.withResolvers<void>()
    const { consumer, batchConsumer } = await started(() => gate.promise, { drainTimeoutMs: 20 })
    await consumer.handlers.onRecords(fetched(1, [0, 1]))
    await turn()
    await batchConsumer.stop()
    gate.resolve()
    await turn()
    await turn()
    expect(consumer.commits).toEqual([])
  })

  test('nothing more of a partition that turns out to be somebody else’s', async () => {
    const handled: string[] = []
    const { consumer } = await started(
      records => void handled.push(...records.map(each => each.record.offset)),
    )
    consumer.onCommit = () => Promise.resolve('no longer owned')
    await consumer.handlers.onRecords(fetched(1, [0, 1, 2, 3]))
    await turn()
    await turn()
    expect(handled).toEqual(['0', '1'])
    expect(consumer.commits).toEqual([['2', 1]])
  })

  test('a commit that fails is tried again until it succeeds', async () => {
    const { consumer } = await started(() => {})
    let failures = 1
    const succeeded = Promise.withResolvers<void>()
    consumer.onCommit = () => {
      if (failures-- > 0) return Promise.reject(new Error('no coordinator'))
      succeeded.resolve()
      return Promise.resolve('committed')
    }
    await consumer.handlers.onRecords(fetched(1, [0, 1]))
    await succeeded.promise
    expect(consumer.commits).toEqual([
      ['2', 1],
      ['2', 1],
    ])
  })
})

test('the lag is told with each fetch and commit, of a partition that hangs as well', async () => {
  const lags: number[] = []
  const gate = Promise.withResolvers<void>()
  const report = { ...unobserved, behind: (_partition: unknown, records: number) => void lags.push(records) }
  const { consumer } = await started(() => gate.promise, { report })
  await consumer.handlers.onRecords(fetched(1, [90, 91]))
  await consumer.handlers.onRecords({ ...fetched(1, [92, 93]), highWatermark: '120' })
  await turn()
  expect(lags).toEqual([10, 30])
  gate.resolve()
  await soon(() => expect(lags).toEqual([10, 30, 28, 26]))
})

test('records of an assignment that is over are not collected', async () => {
  const handled: string[] = []
  const { consumer } = await started(records => void handled.push(...records.map(each => each.record.offset)))
  await consumer.handlers.onRevoked?.()
  await consumer.handlers.onAssigned?.([{ topic: 't', partition: 0 }], 2)
  await consumer.handlers.onRecords(fetched(1, [0, 1]))
  await consumer.handlers.onRecords(fetched(2, [4, 5]))
  await turn()
  expect(handled).toEqual(['4', '5'])
})

test('a defect is told, not swallowed', async () => {
  const defect = new TypeError('a report that cannot be made')
  const report = {
    ...unobserved,
    committed: () => {
      throw defect
    },
  }
  const { consumer, defects } = await started(() => {}, { report })
  await consumer.handlers.onRecords(fetched(1, [0, 1]))
  await soon(() => expect(defects).toEqual([defect]))
})
