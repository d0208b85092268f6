/**
 * `make lambda-invoke`: lambda-producer as Lambda runs it. The bundle in a process of its own, fed by the Lambda Runtime API and frozen
 * between invocations, gets the events of API Gateway; each answer is printed, and each record as a consumer sees it.
 */
import { readRange } from '@kafka-pattern/dead-letter'
import { headerText } from '@kafka-pattern/events'
import { bundleFunction, type Bundle } from '@kafka-pattern/lambda-producer/bundle'
import httpApiEvent from '@kafka-pattern/lambda-producer/events/http-api-v2.json' with { type: 'json' }
import restApiEvent from '@kafka-pattern/lambda-producer/events/rest-api-v1.json' with { type: 'json' }
import { startLambdaFunction, type LambdaFunction } from '@kafka-pattern/test-kit/lambda-runtime'
import { z } from 'zod'
import { runCommand, untilInterrupted } from './command.ts'
import { quietKafka } from './kafka-client.ts'
import { brokersOf } from './runtime/broker-count.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import { brokersFromHere } from './stack-addresses.ts'
import { colors, done, failed, print } from './terminal.ts'
import { UserError } from './user-error.ts'

const topic = 'user'
const coldStarts = 5

const invocations = [
  { title: 'REST API (payload 1.0)', event: restApiEvent, status: 201 },
  { title: 'HTTP API (payload 2.0), base64', event: httpApiEvent, status: 201 },
  { title: 'HTTP API, a body that is an array', event: { ...httpApiEvent, body: 'W10=' }, status: 400 },
]

const Answer = z.object({ statusCode: z.int(), headers: z.record(z.string(), z.string()), body: z.string() })
type Answer = z.output<typeof Answer>

await runCommand(async () => {
  const { runtime, stack, reason } = await findActiveRuntime()
  print(`${colors.bold(`Kafka as ${runtime.title}`)} ${colors.dim(`(${reason})`)}`)
  await runtime.up(brokersOf(stack))
  const brokers = brokersFromHere(stack, runtime.kind)

  const bundle = await bundleFunction()
  print(
    `  ${done} bundle            ${kibibytes(bundle.sizeBytes)}, ${kibibytes(bundle.gzippedBytes)} gzipped\n`,
  )

  const lambda = await startFunction(bundle, brokers)
  let kept = true
  try {
    for (const { title, event, status } of invocations) {
      print(colors.bold(title))
      const answer = await invoke(lambda, event)
      kept = (await showRecord(brokers, answer)) && answer.statusCode === status && kept
      print()
    }
  } finally {
    await lambda.stop()
  }
  await measureColdStarts(bundle, brokers, lambda)
  print(
    kept
      ? `\n${done} Every answer was as it should be, and every record is what its answer says.`
      : `\n${failed} lambda-producer did not answer as it should: see above.\n${lambda.outputLines.join('\n')}`,
  )
  return kept ? 0 : 1
})

async function startFunction({ dir, handler }: Bundle, brokers: string): Promise<LambdaFunction> {
  const lambda = await startLambdaFunction({
    taskRoot: dir,
    handler,
    env: { KAFKA_BROKERS: brokers, KAFKA_TOPIC: topic },
  })
  // A frozen process hears no signal: it would stay.
  untilInterrupted().addEventListener('abort', () => void lambda.stop().finally(() => process.exit(130)))
  return lambda
}

/** Prints the answer, and how long Lambda would say that it took. */
async function invoke(lambda: LambdaFunction, event: unknown): Promise<Answer> {
  const isFirst = lambda.initMs === null
  const result = await lambda.invoke(event)
  if (result.kind !== 'returned') {
    throw new UserError(`The function ${result.kind}. Its output:\n${lambda.outputLines.join('\n')}`)
  }
  const answer = Answer.parse(result.value)
  const init = isFirst ? `, init ${Math.round(lambda.initMs ?? 0)} ms` : ''
  print(`  ${answer.statusCode} after ${result.durationMs.toFixed(1)} ms${init}`)
  for (const [name, value] of Object.entries(answer.headers)) print(`  ${colors.dim(`${name}: ${value}`)}`)
  print(`  ${answer.body}`)
  return answer
}

/** The record that the answer speaks of, read by a consumer; true if it is what the answer says, or if the answer is not 201. */
async function showRecord(brokers: string, { statusCode, headers, body }: Answer): Promise<boolean> {
  const { 'x-kafka-partition': partition, 'x-kafka-offset': offset } = headers
  if (partition === undefined || offset === undefined) return statusCode !== 201
  const { kafka, logger } = quietKafka(brokers, 'lambda-invoke')
  const from = BigInt(offset)
  let isAsAnswered = false
  await readRange(
    kafka,
    [{ topic, partition: Number(partition), from, to: from + 1n }],
    (_range, [record]) => {
      const value = String(record!.value)
      const names = Object.keys(record!.headers ?? {})
      const shown = names.map(name => `${name}=${headerText(record!.headers, name)}`)
      print(`  ${colors.cyan('consumed')} ${topic}/${partition}@${offset} key ${String(record!.key)}`)
      print(`           ${value}`)
      print(`           ${colors.dim(shown.join(' '))}`)
      isAsAnswered =
        value === body && headerText(record!.headers, 'correlation-id') === headers['x-correlation-id']
    },
    { logger },
  )
  return isAsAnswered
}

/** The init of processes that have just been started: Node, AWS' runtime client, the bundle, the connection, a look at the topic. */
async function measureColdStarts(bundle: Bundle, brokers: string, first: LambdaFunction): Promise<void> {
  const initsMs = [first.initMs ?? 0]
  while (initsMs.length < coldStarts) {
    const lambda = await startFunction(bundle, brokers)
    try {
      await lambda.initialized()
    } finally {
      await lambda.stop()
    }
    initsMs.push(lambda.initMs ?? 0)
  }
  const [fastest, slowest] = [Math.min(...initsMs), Math.max(...initsMs)].map(Math.round)
  const median = Math.round(initsMs.toSorted((a, b) => a - b)[coldStarts >> 1]!)
  print(`Cold start, ${coldStarts} processes: init ${median} ms (median), ${fastest} to ${slowest} ms`)
}

function kibibytes(bytes: number): string {
  return `${Math.round(bytes / 1024).toLocaleString('en')} KiB`
}
