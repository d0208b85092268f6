/**
 * `make bench`: this project and its peers on one broker, in one run. Contestants of a figure take turns, so that a
 * slower minute of the machine hits all of them; each turn is a process of its own; the first round is a warm-up and
 * is not counted. Prints Markdown tables; writes results/bench.json and results/bench.svg. A contestant that fails is
 * named and has no further turns; the others go on, and the exit code is 1.
 *
 * Options: --repetitions <n> (3), --seconds <n> (5, measured time of a turn that is not about a number of records),
 * --scale <factor> (1, times the rows of the figures with a database). FIGURE=<id>,<id> in the environment chooses
 * figures.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  createGatheringProducer,
  createKafka,
  ensureTopics,
  type Kafka,
} from '../../packages/kafka-config/src/index.ts'
import { startKafka } from '../../packages/local-stack/src/index.ts'
import { createLogger } from '../../packages/service-runtime/src/index.ts'
import { requireKnownVariables } from '../../scripts/known-variables.ts'
import { UserError } from '../../scripts/user-error.ts'
import { figures, type Contestant, type Figure } from './contestants.ts'
import { startDatabases, type Databases } from './database/databases.ts'
import { makeRecords } from './records.ts'
import { judgeGoals, renderChart, renderTable, type Measured } from './report.ts'
import { loadHttp, runScript, startScript } from './run-script.ts'
import { runConsumingService, runHttpService } from './run-service.ts'
import type { PrepareFigure, Turn } from './database/figure.ts'
import type { Result, Task } from './task.ts'

const CONSUMED_RECORDS = 1_000_000
const { values: options } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
  },
})
const repetitions = Number(options.repetitions)
try {
  // A misspelt FIGURE would have all figures measured, which takes half an hour.
  await requireKnownVariables(process.env['MAKEFLAGS'])
} catch (error) {
  if (!(error instanceof UserError)) throw error
  console.error(error.message)
  process.exit(64)
}
const wanted: string[] = process.env['FIGURE']?.split(',') ?? figures.map(figure => figure.id)
const unknown = wanted.filter(id => !figures.some(figure => figure.id === id))
if (unknown.length > 0) {
  console.error(`No figure ${unknown.join(', ')}; there are: ${figures.map(figure => figure.id).join(', ')}`)
  process.exit(64)
}

const dataDir = await mkdtemp(join(tmpdir(), 'kafka-pattern-bench-'))
const starting = startKafka({ brokers: 1, dataDir, tuning: 'throughput' })
let databases: Databases | undefined
// From the start of the first server on: they outlive whoever started them.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stopAll().finally(() => process.exit(130)))
}
const stack = await starting
const logger = createLogger({ name: 'bench', level: 'warn' })
const kafka = createKafka(
  { KAFKA_BROKERS: stack.brokers, KAFKA_CLUSTER_NAME: 'bench', KAFKA_TLS: false },
  logger,
)
const measured: Measured[] = []
try {
  await createTopics(kafka)
  for (const figure of figures) if (wanted.includes(figure.id)) measured.push(await measure(figure))
} finally {
  await stopAll()
}
report(measured)
if (measured.some(({ failures }) => failures.size > 0)) process.exitCode = 1

async function stopAll(): Promise<void> {
  await databases?.stop()
  await (await starting).stop()
  rmSync(dataDir, { recursive: true, force: true })
}

async function createTopics(on: Kafka): Promise<void> {
  const sixPartitions = { partitions: 6, replicationFactor: 1 }
  // Producing figures keep little on disk; the consumed topic keeps all.
  const configs = { 'retention.bytes': '134217728', 'segment.bytes': '67108864' }
  await ensureTopics(
    on,
    [
      { topic: 'bench-produced', ...sixPartitions, configs },
      { topic: 'bench-consumed', ...sixPartitions },
    ],
    { logger },
  )
  if (!figures.some(figure => figure.load === 'consume' && wanted.includes(figure.id))) return
  console.error(`filling a topic with ${CONSUMED_RECORDS.toLocaleString('en')} records`)
  const producer = createGatheringProducer(on, { logger })
  await producer.connect()
  const records = makeRecords(10_000).map(record => ({ topic: 'bench-consumed', ...record }))
  for (let sent = 0; sent < CONSUMED_RECORDS; sent += records.length) await producer.sendBatch(records)
  await producer.close()
}

async function measure(figure: Figure): Promise<Measured> {
  const { load } = figure
  if (typeof load === 'function') return measureWithDatabase(figure, load)
  const turns = Array.from({ length: repetitions + 1 }, (_, round) => turnsOf(figure, round)).flat()
  return takeTurns(figure, turns, ({ contestant }) => runOnce(figure, contestant))
}

async function measureWithDatabase(figure: Figure, prepare: PrepareFigure): Promise<Measured> {
  const turns: Turn[] = []
  // For each figure anew: it is other code that the JVMs compile.
  const warm = new Set<string>()
  // From the end: of Debezium it is the tuned one that warms up the worker.
  for (const contestant of figure.contestants.toReversed()) {
    const { run } = contestant
    if (run.kind === 'script') continue
    const what = run.kind === 'debezium' ? run.connector : run.service
    if (warm.has(what)) continue
    warm.add(what)
    turns.push({ round: 0, contestant })
  }
  for (let round = 1; round <= repetitions; round++) turns.push(...turnsOf(figure, round))
  const nothing: Measured = { figure, runs: new Map(), failures: new Map() }
  try {
    databases ??= await startDatabases({ brokers: stack.brokers, kafka, dataDir, logger })
    const durationMs = Number(options.seconds) * 1000
    const prepared = await prepare({ databases, turns, scale: Number(options.scale), durationMs })
    const result = await takeTurns(figure, turns, turn => prepared.run(turn))
    await prepared.close()
    return result
  } catch (error) {
    console.error(`${figure.id} could not be measured:`, error)
    for (const contestant of figure.contestants) {
      nothing.runs.set(contestant, [])
      nothing.failures.set(contestant, reasonOf(error))
    }
    return nothing
  }
}

/**
 * In the listed order in one round and in reverse in the next, so that nobody always follows the same one: what a turn leaves behind,
 * such as a broker that collects the garbage of large answers, falls upon the next.
 */
function turnsOf({ contestants }: Figure, round: number): Turn[] {
  const order = round % 2 === 1 ? contestants : contestants.toReversed()
  return order.map(contestant => ({ round, contestant }))
}

/** Who fails once has no further turns. */
async function takeTurns(
  figure: Figure,
  turns: readonly Turn[],
  run: (turn: Turn) => Promise<Result>,
): Promise<Measured> {
  const runs = new Map<Contestant, Result[]>(figure.contestants.map(contestant => [contestant, []]))
  const failures = new Map<Contestant, string>()
  for (const turn of turns) {
    const { contestant, round } = turn
    if (failures.has(contestant)) continue
    const what = `${figure.id} ${round > 0 ? `${round}/${repetitions}` : 'warm-up'} ${contestant.name}`
    const startedAt = performance.now()
    try {
      const result = await run(turn)
      if (round > 0) runs.get(contestant)!.push(result)
      const seconds = Math.round((performance.now() - startedAt) / 100) / 10
      console.error(`${what}: ${Math.round(result.value * 100) / 100} ${figure.unit} (turn of ${seconds} s)`)
    } catch (error) {
      failures.set(contestant, reasonOf(error))
      console.error(`${what} failed:`, error)
    }
  }
  return { figure, runs, failures }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function runOnce(figure: Figure, { run }: Contestant): Promise<Result> {
  const task: Task = {
    brokers: stack.brokers,
    topic: figure.load === 'consume' ? 'bench-consumed' : 'bench-produced',
    durationMs: Number(options.seconds) * (figure.load === 'idle' ? 3000 : 1000),
    warmUpMs: 2000,
    records: CONSUMED_RECORDS,
  }
  if (run.kind === 'debezium') throw new TypeError('Debezium has no part in the figures without a database')
  if (run.kind === 'script' && figure.load === 'http') {
    const server = startScript(run.file, task, run.env)
    try {
      return await loadHttp(server, { path: '/create', ...task })
    } finally {
      await server.stop()
    }
  }
  if (run.kind === 'script') return runScript(run.file, task, run.env)
  if (figure.load === 'http') return runHttpService(run.service, task, run.env)
  return runConsumingService(run.service, task, run.env, kafka)
}

function report(results: Measured[]): void {
  const software = `Node ${process.version}, Kafka 4.3.1${databases ? ', MariaDB 11.4.5' : ''}`
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${software} on the same machine`
  const scaled = options.scale === '1' ? '' : `; rows of the databases times ${options.scale}`
  console.log(`${machine}${scaled}\n`)
  for (const result of results) console.log(renderTable(result))

  const folder = join(import.meta.dirname, '../results')
  mkdirSync(folder, { recursive: true })
  const document = {
    machine,
    at: new Date().toISOString(),
    figures: results.map(result => ({
      id: result.figure.id,
      title: result.figure.title,
      unit: result.figure.unit,
      runs: Object.fromEntries([...result.runs].map(([{ name }, runs]) => [name, runs])),
      failures: Object.fromEntries([...result.failures].map(([{ name }, reason]) => [name, reason])),
      goals: judgeGoals(result),
    })),
  }
  writeFileSync(join(folder, 'bench.json'), `${JSON.stringify(document, null, 2)}\n`)
  writeFileSync(join(folder, 'bench.svg'), renderChart(results))
  console.log('Written: bench/results/bench.json, bench/results/bench.svg')
}
