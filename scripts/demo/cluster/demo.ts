/**
 * The demo of three brokers: that of publish and subscribe, and then, under load, the leader of a partition is killed and brought back.
 * It succeeds only if every acknowledged record is there, those of a key in their order, a consumer group says in its log that it
 * has been through all of them, and the broker holds everything again. How long nobody was answered is measured.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { readRange, type OffsetRange } from '@kafka-pattern/dead-letter'
import { EntityCreated, parseRecordValue } from '@kafka-pattern/events'
import {
  createGatheringProducer,
  readPartitionEnds,
  type Kafka,
  type PartitionEnds,
} from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'
import { followFlow } from '../../flow/follow-flow.ts'
import { quietKafka } from '../../kafka-client.ts'
import { brokersOf } from '../../runtime/broker-count.ts'
import { brokersFromHere } from '../../stack-addresses.ts'
import { numberLines } from '../../table.ts'
import { colorOf, colors, done, failed, nameWidth, padVisible, print, seconds } from '../../terminal.ts'
import { UserError } from '../../user-error.ts'
import type { Demo, Verdict } from '../demo.ts'
import { percentile } from '../percentile.ts'
import { runPubsubDemo } from '../pubsub/demo.ts'
import { recordsLeftFor, replicasOf, until } from './cluster-state.ts'
import { endOfPause, splitByPause, type Phases } from './failover-times.ts'
import { createHandledRecords, type HandledRecords } from './handled-records.ts'
import { judgeRecords, type FoundRecord } from './judge-records.ts'
import { createsPerSecond, startLoad, type SentRecord } from './steady-load.ts'

const calmMs = 3_000
/** Long enough that the others go on without it for a while. */
const awayMs = 5_000
const patienceMs = 60_000
/** What a service writes to its log is read some moments later. */
const logDelayMs = 5_000

export async function runClusterDemo(demo: Demo): Promise<Verdict> {
  const pubsub = await runPubsubDemo(demo)
  if (!pubsub.kept) return pubsub
  print(`\n${done} ${pubsub.sentence}\n`)

  const { runtime, stack, services } = demo
  const api = services.find(service => service.program === 'simple-producer')
  const consumer = services.find(({ program }) => program === 'batch-consumer')
  const groupId = consumer?.environment.KAFKA_CONSUMER_GROUP
  const topic = api?.environment.KAFKA_TOPIC
  if (api === undefined || topic === undefined || consumer === undefined || groupId === undefined) {
    throw new UserError('docker-compose.yml: the demo needs a simple-producer and a batch-consumer.')
  }
  const { kafka, logger } = quietKafka(brokersFromHere(stack, runtime.kind), 'demo')
  const starts = await readPartitionEnds(kafka, [topic])
  const producer = createGatheringProducer(kafka, { logger, deliveryTimeoutMs: patienceMs })
  await producer.connect()
  const handled = createHandledRecords()
  const following = new AbortController()
  // With those that `make scale` has added: they share the partitions.
  const members = services.filter(({ program }) => program === 'batch-consumer').map(({ name }) => name)
  const flow = followFlow(runtime, members, following.signal, (_service, event) => handled.apply(event))
  try {
    const load = startLoad(api, producer, topic)
    const { orphans, killedAt } = await killLeader(demo, kafka, topic).catch(async (error: unknown) => {
      // What went wrong first is what is told.
      await Promise.allSettled([load.stop()])
      throw error
    })
    const { creates, numbered } = await load.stop()
    const pauseEnd = endOfPause(creates, orphans, killedAt)
    printTimes(splitByPause(creates, killedAt, pauseEnd))
    const written = await findWritten(kafka, topic, starts)
    const isInOrder = printRecords(creates, numbered, await readRecords(kafka, logger, written))
    if (pauseEnd === null) {
      const partitions = orphans.map(partition => `${topic}/${partition}`).join(', ')
      printCheck(
        false,
        `no create on ${partitions} was acknowledged again: \`make logs SERVICE=${api.name}\``,
      )
    }
    await untilConsumed(kafka, groupId, topic)
    const isHandled = await printHandled(groupId, handled, written)
    return isInOrder && isHandled && pauseEnd !== null
      ? { kept: true, sentence: 'A broker died under load, and not one acknowledged record with it.' }
      : {
          kept: false,
          sentence: 'A broker died, and what was promised did not hold; what is wrong stands above.',
        }
  } finally {
    following.abort()
    await flow
    await producer.close()
  }
}

/** Resolves when it is back and in sync, and some time has gone by without it, and some more with it. */
async function killLeader(
  { runtime, stack, services }: Demo,
  kafka: Kafka,
  topic: string,
): Promise<{ orphans: number[]; killedAt: number }> {
  const names = services.map(service => service.name)
  const tell = (service: string, text: string) =>
    print(`  ${colorOf(service, names)(padVisible(service, nameWidth))} ${text}`)
  const nameOf = (nodeId: number) => brokersOf(stack)[nodeId - 1]?.name ?? `broker ${nodeId}`

  const before = await replicasOf(kafka, topic)
  const dead = before[0]!.leader
  const victim = brokersOf(stack)[dead - 1]!
  const orphans = before.filter(({ leader }) => leader === dead).map(({ partition }) => partition)
  print(colors.bold(`The leader of ${topic}/0 is killed while ${createsPerSecond} creates a second come in`))
  for (const { partition, leader, inSync } of before) {
    tell(nameOf(leader), `leads ${topic}/${partition}; in sync: ${inSync.map(nameOf).join(', ')}`)
  }
  await delay(calmMs)

  const killedAt = performance.now()
  const sinceKill = () => `${seconds(performance.now() - killedAt)} after the kill`
  await runtime.kill(victim.name)
  tell(victim.name, 'killed (SIGKILL)')
  await until(patienceMs, `a new leader of ${topic}/${orphans.join(', ')}`, async () => {
    const now = await replicasOf(kafka, topic)
    if (!orphans.every(partition => ![dead, -1].includes(now[partition]!.leader))) return false
    for (const partition of orphans) {
      tell(nameOf(now[partition]!.leader), `leads ${topic}/${partition} now, ${sinceKill()}`)
    }
    return true
  })
  await delay(Math.max(0, killedAt + awayMs - performance.now()))

  await runtime.up([victim])
  await until(patienceMs, `${victim.name} in sync with every leader`, async () => {
    const now = await replicasOf(kafka, topic)
    return now.every(({ inSync }) => inSync.includes(dead))
  })
  tell(victim.name, `in sync with every leader of ${topic} again, ${sinceKill()}`)
  await delay(calmMs)
  return { orphans, killedAt }
}

/** However long it takes, as long as it goes on: what comes in fast may be handled slowly. */
async function untilConsumed(kafka: Kafka, groupId: string, topic: string): Promise<void> {
  let fewest = Infinity
  for (;;) {
    const wasLeft = fewest
    await until(patienceMs, `${groupId} committing more records of ${topic}`, async () => {
      fewest = Math.min(fewest, await recordsLeftFor(kafka, groupId, topic))
      return fewest < wasLeft
    })
    if (fewest === 0) return
  }
}

function printTimes(phases: Phases): void {
  const rows = Object.entries(phases).map(([phase, times]) => ({
    name: `${phase} the pause`,
    cells: [times.length, ...[0.5, 0.99, 1].map(share => percentile(times, share)?.toFixed(0) ?? '')],
  }))
  print()
  for (const line of numberLines(['creates', 'acknowledged', 'p50 ms', 'p99 ms', 'longest ms'], rows))
    print(line)
  print()
}

/** True if nothing is lost or out of order. */
function printRecords(creates: SentRecord[], numbered: SentRecord[], found: FoundRecord[]): boolean {
  const { acknowledged, lost, outOfOrder, twice } = judgeRecords([...creates, ...numbered], found)
  const refused = creates.filter(record => record.acknowledged === null).length
  print(
    `  ${creates.length} creates over HTTP, ${refused} of them not acknowledged, and ${numbered.length} numbered records of a few keys`,
  )
  printCheck(
    lost.length === 0,
    lost.length === 0
      ? `each of the ${acknowledged} acknowledged records can be read`
      : `acknowledged, and not there: ${listed(lost)}`,
  )
  printCheck(
    outOfOrder.length === 0,
    outOfOrder.length === 0 ? 'those of a key are in their order' : `out of order: ${listed(outOfOrder)}`,
  )
  if (twice > 0) print(`    ${twice} came twice: sent again because their answer died with the broker`)
  return lost.length === 0 && outOfOrder.length === 0
}

/** True if nothing was passed over: a committed end says only where the group goes on. */
async function printHandled(
  groupId: string,
  handled: HandledRecords,
  written: OffsetRange[],
): Promise<boolean> {
  const deadline = performance.now() + logDelayMs
  while (handled.missingOf(written).length > 0 && performance.now() < deadline) await delay(100)
  const missing = handled.missingOf(written)
  printCheck(
    missing.length === 0,
    missing.length === 0
      ? `${groupId} has been through all of them and committed the end`
      : `${groupId} has committed the end, but neither processed nor dead-lettered ${listed(missing)}`,
  )
  return missing.length === 0
}

function printCheck(isRight: boolean, text: string): void {
  print(`  ${isRight ? done : failed} ${text}`)
}

function listed(records: string[]): string {
  return records.length > 5
    ? `${records.slice(0, 5).join(', ')} and ${records.length - 5} more`
    : records.join(', ')
}

/** What was written from there to the present end. */
async function findWritten(kafka: Kafka, topic: string, starts: PartitionEnds[]): Promise<OffsetRange[]> {
  const ends = await readPartitionEnds(kafka, [topic])
  return ends.map(({ partition, end }, i) => ({
    topic,
    partition,
    from: BigInt(starts[i]!.end),
    to: BigInt(end),
  }))
}

/** In the order of each partition. */
async function readRecords(kafka: Kafka, logger: Logger, written: OffsetRange[]): Promise<FoundRecord[]> {
  const found: FoundRecord[] = []
  await readRange(
    kafka,
    written,
    (_range, records) => {
      for (const { key, value } of records) {
        const parsed = parseRecordValue(EntityCreated, value)
        if (key !== null && parsed.ok) found.push({ key: String(key), sequence: Number(parsed.value.name) })
      }
    },
    { logger },
  )
  return found
}
