/**
 * `make watch`: one line for each record's whole trip, from the HTTP request to everybody who has it, until Ctrl-C. `make watch
 * STEPS=1`: a line for each step instead, when it happens.
 */
import { readPartitionEnds, type FetchedRecords } from '@kafka-pattern/kafka-config'
import type { ComposeService } from './compose-file/compose-file.ts'
import { runCommand, untilInterrupted } from './command.ts'
import { describeFlowEvent } from './flow/describe-flow-event.ts'
import { describeTrip } from './flow/describe-trip.ts'
import type { FlowEvent } from './flow/flow-event.ts'
import { followFlow } from './flow/follow-flow.ts'
import { timeOf } from './flow/format-log-line.ts'
import { factOfRecord, factsOf } from './flow/trip-facts.ts'
import { planTrips } from './flow/trip-plan.ts'
import { createTrips, mostOpen } from './flow/trips.ts'
import { followRecords } from './follow-records.ts'
import { followAnswers, quietKafka, requireKafka } from './kafka-client.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import type { Runtime } from './runtime/runtime.ts'
import { brokersFromHere } from './stack-addresses.ts'
import { colorOf, colors, done, failed, nameWidth, padVisible, print } from './terminal.ts'
import { UserError } from './user-error.ts'

const settleEveryMs = 100
const tellGivenUpEveryMs = 5_000

await runCommand(async () => {
  const { runtime, stack } = await findActiveRuntime()
  const started = await runtime.started()
  const running = stack.file.services.filter(service => started.includes(service.name))
  if (running.length === 0)
    throw new UserError('Nothing runs, so there is nothing to watch. `make up` starts it.')
  const level = running.flatMap(({ environment }) => environment.LOG_LEVEL ?? []).find(isTooQuiet)
  if (level !== undefined) {
    throw new UserError(
      `make watch follows the records by what the services log at info, and LOG_LEVEL is ${level}.`,
    )
  }
  const names = stack.file.services.map(service => service.name)
  const printStep = (service: string, event: FlowEvent) => {
    const name = colorOf(service, names)(padVisible(service, nameWidth))
    print(`${colors.dim(timeOf(Date.now()))} ${name} ${describeFlowEvent(event)}`)
  }
  const printBegin = () =>
    print(
      colors.dim(
        `Watching ${running.map(({ name }) => name).join(', ')}. Ctrl-C ends it. Something to see: make up, or a POST to /create or /users.`,
      ),
    )
  const brokers = brokersFromHere(stack, runtime.kind)
  await requireKafka(brokers)
  const ended = new AbortController()
  const end = AbortSignal.any([untilInterrupted(), ended.signal])
  const outages = followAnswers(brokers, end, answer =>
    print(
      answer
        ? `${done} Kafka answers again.`
        : `${failed} Kafka does not answer: no record gets further until it does. \`make ps\` shows what runs.`,
    ),
  )
  try {
    if (process.env.STEPS && process.env.STEPS !== '0') {
      printBegin()
      await followFlow(runtime, started, end, printStep)
    } else {
      const colored = (service: string) => colorOf(service, names)(service)
      await watchTrips({ runtime, running, brokers, end, printBegin, printStep, colored })
    }
  } finally {
    ended.abort()
    await outages
  }
})

function isTooQuiet(level: string): boolean {
  return !['info', 'debug', 'trace'].includes(level)
}

type Watch = {
  runtime: Runtime
  running: ComposeService[]
  brokers: string
  end: AbortSignal
  printBegin: () => void
  printStep: (service: string, event: FlowEvent) => void
  colored: (service: string) => string
}

async function watchTrips({
  runtime,
  running,
  brokers,
  end,
  printBegin,
  printStep,
  colored,
}: Watch): Promise<void> {
  const plan = planTrips(running)
  const trips = createTrips(plan)
  const ended = new AbortController()
  const follow = AbortSignal.any([end, ended.signal])
  const failure = Promise.withResolvers<never>()
  const client = quietKafka(brokers, 'watch')
  const existing = await readPartitionEnds(client.kafka, plan.topics)
  const onRecords = ({ topic, partition, records }: FetchedRecords) => {
    const now = Date.now()
    for (const record of records) {
      for (const fact of factOfRecord(topic, partition, record, now)) trips.apply(fact, now)
    }
  }
  const topics = [...new Set(existing.map(({ topic }) => topic))]
  const following =
    topics.length === 0 ? null : await followRecords(client, topics, onRecords, failure.reject)
  const settle = () => {
    for (const trip of trips.settle(Date.now())) print(describeTrip(trip, colored))
  }
  const timer = setInterval(settle, settleEveryMs)
  const tellGivenUp = () =>
    tellNotShown(trips.takeGivenUp(), `more than ${mostOpen} were under way at a time`)
  const givenUpTimer = setInterval(tellGivenUp, tellGivenUpEveryMs)
  const flow = followFlow(
    runtime,
    running.map(service => service.name),
    follow,
    (name, event) => {
      // Its state is not published: it has no further trip.
      if (event.msg === 'row parked' || event.msg === 'row too large') printStep(name, event)
      const service = running.find(candidate => candidate.name === name)
      if (service === undefined) return
      const now = Date.now()
      for (const fact of factsOf(service, event, now)) trips.apply(fact, now)
    },
  )
  try {
    printBegin()
    await Promise.race([flow, failure.promise])
  } finally {
    clearInterval(timer)
    clearInterval(givenUpTimer)
    ended.abort()
    await Promise.all([flow, following?.stop()])
    settle()
    tellGivenUp()
    tellNotShown(trips.underWay(), 'still under way when this ended')
  }
}

function tellNotShown(count: number, why: string): void {
  if (count > 0) print(colors.yellow(`… ${count} trip${count === 1 ? '' : 's'} not shown: ${why}`))
}
