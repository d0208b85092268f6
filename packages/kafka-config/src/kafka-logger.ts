/**
 * kafkajs' log lines, at levels that mean something to who runs the service. kafkajs logs at ERROR whatever did not
 * succeed at the first attempt; the same errors are thrown to whoever asked, who knows whether it matters. An error
 * of ours is therefore one that nobody else is told about; what kafkajs retries is debug; its protocol chatter trace.
 */
import { logLevel } from 'kafkajs'
import type { KafkaConfig, LogEntry } from 'kafkajs'
import type { Level, Logger } from 'pino'

/** In the order of precedence: the first pattern that the message matches decides. */
const LEVELS: [RegExp, Level][] = [
  // Nobody else hears of these.
  [/^Caught error in onPartitionsRevoked/, 'error'],
  [/^Failed to execute listener/, 'error'],
  [/^Offset out of range, resetting/, 'warn'],
  [/^Consumer group received unsubscribed topics/, 'warn'],
  [/^Limiting retries for the idempotent producer/, 'warn'],
  [/^Preferred read replica is now/, 'info'],
  [/^The group is rebalancing/, 'info'],
  [/^The coordinator is not aware of this member/, 'info'],
  [/resync group$/, 'info'],
]

const BY_KAFKAJS_LEVEL: Partial<Record<logLevel, Level>> = {
  [logLevel.ERROR]: 'debug',
  [logLevel.WARN]: 'debug',
  [logLevel.INFO]: 'debug',
  [logLevel.DEBUG]: 'trace',
}

/** An allow-list, because kafkajs can put the contents of requests into its lines, passwords among them. */
const FIELDS = [
  'broker',
  'clientId',
  'correlationId',
  'error',
  'generationId',
  'groupId',
  'groupProtocol',
  'memberId',
  'nodeId',
  'offset',
  'partition',
  'retryCount',
  'retryTime',
  'size',
  'topic',
  'topics',
  'topicPartitions',
  'transactionalId',
]

/** The level that a line of kafkajs deserves. */
export function levelOf(kafkajsLevel: logLevel, message: string): Level {
  if (kafkajsLevel === logLevel.DEBUG) return 'trace'
  return LEVELS.find(([pattern]) => pattern.test(message))?.[1] ?? BY_KAFKAJS_LEVEL[kafkajsLevel] ?? 'debug'
}

/** The part of kafkajs' configuration that sends its log lines to `logger`. */
export function kafkaLogger(logger: Logger): Required<Pick<KafkaConfig, 'logLevel' | 'logCreator'>> {
  return {
    // Its debug lines cost time on every request, also when nobody wants them.
    logLevel: logger.isLevelEnabled('trace') ? logLevel.DEBUG : logLevel.INFO,
    logCreator: () => entry => write(logger, entry),
  }
}

function write(logger: Logger, { namespace, level, log }: LogEntry): void {
  // kafkajs passes an Error as the message now and then, whatever its types say.
  const said: unknown = log.message
  const message = String(said)
  const pinoLevel = levelOf(level, message)
  if (!logger.isLevelEnabled(pinoLevel)) return
  const fields: Record<string, unknown> = { kafkajs: namespace }
  for (const name of FIELDS) {
    if (log[name] !== undefined) fields[name] = log[name]
  }
  logger[pinoLevel](fields, message)
}
