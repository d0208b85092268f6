import { readFileSync } from 'node:fs'
import { Kafka } from 'kafkajs'
import type { Admin, KafkaConfig, SASLOptions } from 'kafkajs'
import type { Logger } from 'pino'
import { classifyKafkaError } from './errors.ts'
import { kafkaLogger } from './kafka-logger.ts'
import { oauthBearer } from './oauth-bearer.ts'
import type { BearerToken } from './oauth-bearer.ts'
import type { KafkaSettings } from './settings.ts'

export type { Kafka } from 'kafkajs'

type ClientConfig = KafkaConfig & { brokers: string[] }

/** The configuration each client was made with, so that a second one with the same settings can be made. */
const configs = new WeakMap<Kafka, ClientConfig>()

/**
 * The one place that constructs a kafkajs client. Nothing connects yet.
 *
 * A request that gets no answer fails after 10 to 11 s, a connection that is not accepted after 3 s; kafkajs tries
 * each of its operations up to 5 times more within about 10 s and then throws. Who must outlast a longer
 * outage does so above this (`waitForKafka`, `createGroupConsumer`).
 *
 * @param options.bearerToken what aws-msk-iam authenticates with; a service brings it, so that only those that use it
 * carry the AWS SDK
 */
export function createKafka(
  settings: KafkaSettings,
  logger: Logger,
  { bearerToken }: { bearerToken?: BearerToken } = {},
): Kafka {
  return construct({
    clientId: settings.KAFKA_CLUSTER_NAME,
    brokers: settings.KAFKA_BROKERS,
    ...(settings.KAFKA_TLS && { ssl: tlsOptions(settings) }),
    ...saslOptions(settings, bearerToken),
    connectionTimeout: 3_000,
    authenticationTimeout: 10_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 100, factor: 0.2, multiplier: 2, maxRetryTime: 3_000, retries: 5 },
    ...kafkaLogger(logger),
  })
}

/**
 * Another client with the settings of this one. kafkajs keeps the committed offsets of a group per client, so
 * that two consumers of one group made by the same client clear each other's positions.
 */
export function siblingKafka(kafka: Kafka, changes: Pick<KafkaConfig, 'retry'> = {}): Kafka {
  return construct({ ...configOf(kafka), ...changes })
}

/**
 * Runs `work` with an admin client that tries each request once, and disconnects it after. For the connection every broker of the list
 * is tried once.
 */
export async function withAdmin<T>(kafka: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = await connectAdmin(configOf(kafka))
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

async function connectAdmin(config: ClientConfig): Promise<Admin> {
  const retry = { retries: 0 }
  const untried = [...config.brokers]
  for (;;) {
    const [broker = ''] = untried.splice(Math.floor(Math.random() * untried.length), 1)
    const admin = construct({ ...config, retry, brokers: [broker] }).admin({ retry })
    try {
      await admin.connect()
      return admin
    } catch (error) {
      await admin.disconnect()
      if (untried.length === 0 || classifyKafkaError(error) === 'fatal') throw error
    }
  }
}

function configOf(kafka: Kafka): ClientConfig {
  const config = configs.get(kafka)
  if (config === undefined) throw new TypeError('this Kafka client was not made by createKafka')
  return config
}

function construct(config: ClientConfig): Kafka {
  const kafka = new Kafka({ ...config, brokers: inTurn(config.brokers) })
  configs.set(kafka, config)
  return kafka
}

/**
 * An address of the list for each connection that is made to find the others: none a second time before each had its turn, and each turn
 * in an order of its own. kafkajs begins the list anew with every client, and takes a second address when a connection fails: in a fixed
 * order, whoever makes a new client for each attempt could meet the same dead broker for ever.
 */
export function inTurn(brokers: readonly string[]): () => string[] {
  let untried: string[] = []
  return () => {
    if (untried.length === 0) untried = [...brokers]
    return untried.splice(Math.floor(Math.random() * untried.length), 1)
  }
}

function tlsOptions({ KAFKA_TLS_CA_FILE }: KafkaSettings): NonNullable<KafkaConfig['ssl']> {
  return KAFKA_TLS_CA_FILE === undefined ? true : { ca: [readFileSync(KAFKA_TLS_CA_FILE, 'utf8')] }
}

function saslOptions(
  settings: KafkaSettings,
  bearerToken: BearerToken | undefined,
): Pick<KafkaConfig, 'sasl'> {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username } = settings
  if (mechanism === undefined) return {}
  if (mechanism === 'aws-msk-iam') {
    if (bearerToken === undefined) throw new TypeError('aws-msk-iam needs a bearerToken')
    // IAM authentication of MSK is SASL/OAUTHBEARER whose token is a signed request of AWS.
    return { sasl: oauthBearer(bearerToken) }
  }
  const sasl: SASLOptions = {
    mechanism,
    username: username ?? '',
    password: settings.KAFKA_SASL_PASSWORD ?? '',
  }
  return { sasl }
}
