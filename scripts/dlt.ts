/**
 * `make dlt`: what is in the dead-letter topics, and why. `make dlt REPLAY=<topic>` sends the records of one back to where
 * they came from, with CATEGORY='retries exhausted' those alone; the dead letters stay, and a record that fails again comes back as a new one.
 */
import {
  deadLetterMaxBytes,
  failureCategories,
  listDeadLetters,
  replay,
  type Failure,
} from '@kafka-pattern/dead-letter'
import { createGatheringProducer, type Kafka } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'
import { runCommand } from './command.ts'
import { quietKafka, requireKafka } from './kafka-client.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import { brokersFromHere } from './stack-addresses.ts'
import { colors, done, print, printable } from './terminal.ts'
import { UserError } from './user-error.ts'

await runCommand(async () => {
  const category = readCategory(process.env.CATEGORY)
  const topic = process.env.REPLAY
  if (category !== undefined && !topic) {
    throw new UserError('CATEGORY chooses what REPLAY sends back: `make dlt REPLAY=<topic> CATEGORY=…`.')
  }
  const { runtime, stack } = await findActiveRuntime()
  const brokers = brokersFromHere(stack, runtime.kind)
  await requireKafka(brokers)
  const { kafka, logger } = quietKafka(brokers, 'dlt')
  if (topic) await replayTopic(kafka, logger, topic, category)
  else await list(kafka, logger)
})

async function list(kafka: Kafka, logger: Logger): Promise<void> {
  const topics = (await listDeadLetters({ kafka, logger })).filter(({ count }) => count > 0)
  if (topics.length === 0) {
    print('There are no dead letters.')
    return
  }
  for (const { topic, count, newest } of topics) {
    print(`${colors.bold(topic)}  ${count} dead letter${count === 1 ? '' : 's'}`)
    if (newest === null) continue
    const { original, failure } = newest
    const tries = failure.attempts === 1 ? 'one attempt' : `${failure.attempts} attempts`
    print(
      `  newest  ${original.topic}/${original.partition}@${original.offset}, ${colors.red(failure.category)} after ${tries}`,
    )
    print(`          ${printable(`${failure.errorClass}: ${failure.message}`)}`)
    print(
      colors.dim(`          given up by group ${failure.group} at ${failure.lastFailureAt.toISOString()}`),
    )
  }
  print()
  print('Once the cause is mended, this sends them back:')
  for (const { topic } of topics) print(`  ${colors.cyan(`make dlt REPLAY=${topic}`)}`)
  print(colors.dim('Those that were sent back stay and are counted; a second replay sends them again.'))
}

/** Undefined: of every category. */
function readCategory(wanted: string | undefined): Failure['category'] | undefined {
  if (!wanted) return undefined
  const category = failureCategories.find(each => each === wanted)
  if (category !== undefined) return category
  throw new UserError(
    `There is no category "${wanted}"; there is ${failureCategories.map(each => `'${each}'`).join(' and ')}.`,
  )
}

async function replayTopic(
  kafka: Kafka,
  logger: Logger,
  topic: string,
  category: Failure['category'] | undefined,
): Promise<void> {
  const known = (await listDeadLetters({ kafka, logger })).map(summary => summary.topic)
  if (!known.includes(topic)) {
    throw new UserError(`There is no dead-letter topic "${topic}"; there is ${known.join(', ') || 'none'}.`)
  }
  const producer = createGatheringProducer(kafka, { logger, maxRecordBytes: deadLetterMaxBytes })
  await producer.connect()
  try {
    const { read, replayed, passedOver, unreadable } = await replay({
      kafka,
      producer,
      logger,
      deadLetterTopic: topic,
      ...(category !== undefined && { category }),
    })
    print(
      `${done} ${replayed} of ${read} records sent back to where they came from. \`make watch\` follows them.`,
    )
    if (passedOver > 0) print(`  ${passedOver} of another category stay where they are.`)
    if (unreadable > 0) print(`  ${unreadable} are no dead letters and stay where they are.`)
  } finally {
    await producer.close()
  }
}
