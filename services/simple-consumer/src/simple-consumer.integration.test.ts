import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import {
  createTopic,
  eventually,
  produce,
  startService,
  testKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { RunningService } from '@kafka-pattern/test-kit'

function startConsumer(topic: string, env: Record<string, string> = {}): Promise<RunningService> {
  return startService('simple-consumer', { KAFKA_TOPICS: topic, ...env })
}

/** What it printed, without `[consume] <topic>`. */
function printedBy(service: RunningService): string[] {
  const start = '[consume] '
  return service.stdoutLines
    .filter(line => line.startsWith(start))
    .map(line => line.split(' ').slice(2).join(' '))
}

function values(lines: readonly string[]): string[] {
  return lines.map(line => line.split(' ').slice(3).join(' '))
}

function numbered(
  topic: string,
  count: number,
  prefix = 'v',
): { topic: string; key: string; value: string }[] {
  return Array.from({ length: count }, (_, i) => ({ topic, key: `k${i}`, value: `${prefix}${i}` }))
}

function groupOf(service: RunningService): string {
  return String(service.logLines.find(({ msg }) => msg === 'consuming')?.groupId)
}

async function groups(): Promise<string[]> {
  const { groups: found } = await withAdmin(testKafka(), admin => admin.listGroups())
  return found.map(({ groupId }) => groupId)
}

async function committed(groupId: string, topic: string): Promise<string[]> {
  const [found] = await withAdmin(testKafka(), admin => admin.fetchOffsets({ groupId, topics: [topic] }))
  return (found?.partitions ?? []).toSorted((a, b) => a.partition - b.partition).map(({ offset }) => offset)
}

describe('broadcast', () => {
  test('each of two sees every record of every partition, in the order of each partition', async () => {
    const topic = await createTopic({ partitions: 3 })
    const consumers = await Promise.all([startConsumer(topic), startConsumer(topic)])
    await produce(numbered(topic, 300))
    for (const consumer of consumers) {
      await eventually(() => expect(printedBy(consumer).length).toBeGreaterThanOrEqual(300), {
        what: '300 lines',
      })
      const lines = printedBy(consumer)
      expect(values(lines).toSorted((a, b) => a.localeCompare(b))).toEqual(
        numbered(topic, 300)
          .map(({ value }) => value)
          .toSorted((a, b) => a.localeCompare(b)),
      )
      const byPartition = Map.groupBy(lines, line => line.split(' ')[0])
      expect(byPartition.size).toBe(3)
      for (const ofPartition of byPartition.values()) {
        const offsets = ofPartition.map(line => Number(line.split(' ')[1]))
        expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
      }
    }
  })

  test('from now on: what was there before is not printed, what comes right after "ready" is', async () => {
    const topic = await createTopic({ partitions: 3 })
    await produce(numbered(topic, 50, 'old'))
    const consumer = await startConsumer(topic)
    await produce(numbered(topic, 50, 'new'))
    await eventually(() => expect(printedBy(consumer).length).toBeGreaterThanOrEqual(50), {
      what: '50 lines',
    })
    expect(values(printedBy(consumer)).filter(value => !value.startsWith('new'))).toEqual([])
    expect(printedBy(consumer)).toHaveLength(50)
  })

  test('nothing is committed, and after the end nothing is left on the broker', async () => {
    const topic = await createTopic({ partitions: 3 })
    const consumer = await startConsumer(topic)
    await produce(numbered(topic, 30))
    await eventually(() => expect(printedBy(consumer).length).toBe(30), { what: '30 lines' })
    const group = groupOf(consumer)
    expect(await groups()).toContain(group)
    expect(await committed(group, topic)).toEqual(['-1', '-1', '-1'])

    expect(await consumer.stop()).toBe(0)
    expect(await groups()).not.toContain(group)
  })

  test('whatever a record holds, it is one line', async () => {
    const topic = await createTopic()
    const consumer = await startConsumer(topic)
    await produce([
      { topic, key: 'json', value: '{"a": "b c"}' },
      { topic, key: 'forged', value: 'x\n[consume] y' },
      { topic, key: 'ansi', value: '\u001b[2J' },
      { topic, key: 'bytes', value: Buffer.from([0xc3, 0x28]) },
      { topic, key: 'gone', value: null },
      { topic, key: null, value: '' },
      { topic, key: 'a\nb', value: 'last' },
    ])
    await eventually(() => expect(consumer.stdoutLines.join('\n')).toContain('last'), {
      what: 'the last line',
    })
    expect(consumer.stdoutLines.filter(line => !line.startsWith('{'))).toEqual([
      `[consume] ${topic} 0 0 json {"a": "b c"}`,
      `[consume] ${topic} 0 1 forged x\\n[consume] y`,
      `[consume] ${topic} 0 2 ansi \\u001b[2J`,
      `[consume] ${topic} 0 3 bytes \\xc3(`,
      `[consume] ${topic} 0 4 gone null`,
      `[consume] ${topic} 0 5 null `,
      `[consume] ${topic} 0 6 a\\nb last`,
    ])
  })

  test('PRINT=false takes and counts the records, and prints none', async () => {
    const topic = await createTopic()
    const consumer = await startConsumer(topic, { PRINT: 'false' })
    await produce(numbered(topic, 20))
    await eventually(async () => expect(await consumed(consumer.probeUrl)).toBe(20), { what: '20 records' })
    expect(printedBy(consumer)).toEqual([])
  })
})

describe('with KAFKA_CONSUMER_GROUP', () => {
  test('two share the work: together they see every record, each once, and it is committed', async () => {
    const topic = await createTopic({ partitions: 4 })
    const group = uniqueName('printers')
    const consumers = await Promise.all([
      startConsumer(topic, { KAFKA_CONSUMER_GROUP: group }),
      startConsumer(topic, { KAFKA_CONSUMER_GROUP: group }),
    ])
    await eventually(
      () => {
        for (const consumer of consumers) expect(assigned(consumer)).toHaveLength(2)
      },
      { what: 'two partitions each' },
    )
    await produce(numbered(topic, 400))
    const all = () => consumers.flatMap(printedBy)
    await eventually(() => expect(all().length).toBeGreaterThanOrEqual(400), { what: '400 lines' })
    expect(new Set(values(all())).size).toBe(400)
    expect(all()).toHaveLength(400)
    for (const consumer of consumers) expect(printedBy(consumer).length).toBeGreaterThan(0)
    await eventually(async () => expect(sum(await committed(group, topic))).toBe(400), {
      what: 'the commits',
    })

    // The group is shared: it outlives its members, and so do its offsets.
    for (const consumer of consumers) expect(await consumer.stop()).toBe(0)
    expect(sum(await committed(group, topic))).toBe(400)
  })

  test('what was produced while no member was there is printed by the next one', async () => {
    const topic = await createTopic({ partitions: 2 })
    const group = uniqueName('printers')
    const first = await startConsumer(topic, { KAFKA_CONSUMER_GROUP: group })
    await produce(numbered(topic, 10, 'a'))
    await eventually(() => expect(printedBy(first)).toHaveLength(10), { what: '10 lines' })
    expect(await first.stop()).toBe(0)
    await produce(numbered(topic, 10, 'b'))
    const second = await startConsumer(topic, { KAFKA_CONSUMER_GROUP: group })
    await eventually(() => expect(printedBy(second).length).toBeGreaterThanOrEqual(10), { what: '10 lines' })
    expect(values(printedBy(second)).filter(value => !value.startsWith('b'))).toEqual([])
  })

  test('a line that nobody took is not committed: the next member prints it', async () => {
    const topic = await createTopic()
    const group = uniqueName('printers')
    const consumer = await startHeldConsumer(topic, group)
    consumer.closeOutput()
    await produce(numbered(topic, 20))
    expect(await consumer.exit).toBe(1)
    expect(await committed(group, topic)).toEqual(['0'])

    const next = await startConsumer(topic, { KAFKA_CONSUMER_GROUP: group })
    await eventually(() => expect(printedBy(next)).toHaveLength(20), { what: '20 lines' })
  })
})

test('a reader that stops reading holds the consumer, not its memory; all comes when it reads on', async () => {
  const topic = await createTopic({ partitions: 3 })
  const group = uniqueName('printers')
  const consumer = await startHeldConsumer(topic, group)
  const count = 10_000
  const filler = 'x'.repeat(2_000)
  for (let from = 0; from < count; from += 500) {
    await produce(
      Array.from({ length: 500 }, (_, i) => ({
        topic,
        key: String(from + i),
        value: `${from + i} ${filler}`,
      })),
    )
  }
  await eventually(() => expect(consumer.isHeld()).toBe(true), { what: 'records that nobody reads' })
  // 20 MB wait on the broker. What it has in hand is one fetch.
  const before = await consumed(consumer.probeUrl)
  expect(before).toBeLessThan(count / 10)
  expect(sum(await committed(group, topic))).toBeLessThanOrEqual(before)
  expect(await metric(consumer.probeUrl, 'process_resident_memory_bytes')).toBeLessThan(250e6)
  // Its event loop turns and its heartbeats go on.
  await eventually(async () => expect((await fetch(`${consumer.probeUrl}/readyz`)).status).toBe(200), {
    what: 'readiness',
  })

  const lines = consumer.readOn()
  const records = () => lines.filter(line => line.startsWith('[consume]'))
  await eventually(() => expect(records().length).toBeGreaterThanOrEqual(count), { what: 'all lines' })
  expect(new Set(records().map(line => line.split(' ')[4])).size).toBe(count)
  // No line of the log stands in the middle of a record, nor the other way round.
  expect(records().filter(line => !line.endsWith(filler))).toEqual([])
  const log = lines.filter(line => !line.startsWith('[consume]'))
  expect(log.length).toBeGreaterThan(10)
  expect(log.filter(line => !/^\{"level".*\}$/.test(line))).toEqual([])
})

/** The partitions that it was given last. */
function assigned(service: RunningService): unknown {
  const joined = service.logLines.findLast(({ msg }) => msg === 'joined the group')
  return Object.values(joined?.partitions ?? {})[0]
}

function sum(offsets: readonly string[]): number {
  return offsets.reduce((total, offset) => total + Math.max(0, Number(offset)), 0)
}

async function metric(probeUrl: string, name: string): Promise<number> {
  const text = await (await fetch(`${probeUrl}/metrics`)).text()
  const samples = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (.+)$`, 'gm'))
  return [...samples].reduce((total, [, value]) => total + Number(value), 0)
}

function consumed(probeUrl: string): Promise<number> {
  return metric(probeUrl, 'kafka_records_total')
}

interface HeldConsumer {
  readonly probeUrl: string
  /** Its exit code. */
  readonly exit: Promise<unknown>
  /** Whether so much of its output lies here that no more of it is taken. */
  isHeld(): boolean
  /** Reads on; returns the lines from then on, to which more are added. */
  readOn(): string[]
  /** As `| head` does when it has enough. */
  closeOutput(): void
}

/** The service as a process whose output is read until it is ready, and then no more. */
async function startHeldConsumer(topic: string, group: string): Promise<HeldConsumer> {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: {
      PATH,
      HOME,
      KAFKA_BROKERS: testKafka().brokers.join(','),
      KAFKA_TOPICS: topic,
      KAFKA_CONSUMER_GROUP: group,
      PROBE_PORT: '0',
      // Many log lines between those of the records.
      LOG_LEVEL: 'trace',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit').then(([code, signal]: unknown[]) => code ?? signal)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exit
  })
  const lines: string[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const split = (rest + text).split('\n')
    rest = split.pop() ?? ''
    lines.push(...split)
  })
  await eventually(() => expect(lines.join('\n')).toContain('"msg":"ready"'), {
    what: 'the consumer to be ready',
  })
  child.stdout.pause()
  const [, port] = /"port":(\d+),"msg":"probes listening"/.exec(lines.join('\n')) ?? []
  lines.length = 0
  return {
    probeUrl: `http://127.0.0.1:${port}`,
    exit,
    isHeld: () => child.stdout.readableLength >= child.stdout.readableHighWaterMark,
    readOn() {
      child.stdout.resume()
      return lines
    },
    closeOutput: () => void child.stdout.destroy(),
  }
}
