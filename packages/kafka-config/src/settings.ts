import { existsSync } from 'node:fs'
import { z } from 'zod'

/** One broker address, `host:port`; an IPv6 host stands in brackets. */
const brokerAddress = /^(\[[0-9a-fA-F:]+\]|[^\s:,]+):(\d{1,5})$/

const brokers = z
  .string()
  .default('127.0.0.1:9092')
  .transform(list =>
    list
      .split(',')
      .map(address => address.trim())
      .filter(address => address !== ''),
  )
  .refine(addresses => addresses.length > 0, 'name at least one broker as host:port')
  .refine(
    addresses => addresses.every(isBrokerAddress),
    'write each broker as host:port, separated by commas, for example kafka-1:9092,kafka-2:9092',
  )

function isBrokerAddress(address: string): boolean {
  const port = brokerAddress.exec(address)?.[2]
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}

const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const

/**
 * The settings that every service which talks to Kafka reads, as a zod raw shape to spread into the service's
 * own schema. Apply `refineKafkaSettings` to that schema as well: it checks what one key alone cannot know.
 */
export const kafkaSettings = {
  /** Bootstrap addresses, `host:port,host:port`. */
  KAFKA_BROKERS: brokers,
  /** The client id by which brokers know this program in their logs, quotas and metrics. */
  KAFKA_CLUSTER_NAME: z.string().min(1).default('kafka-pattern'),
  /** Encrypt the connection. */
  KAFKA_TLS: z.stringbool().default(false),
  /** PEM file of the authority that signed the brokers' certificates, when it is not a public one. */
  KAFKA_TLS_CA_FILE: z
    .string()
    .refine(file => existsSync(file), 'this file does not exist')
    .optional(),
  KAFKA_SASL_MECHANISM: z.enum(saslMechanisms).optional(),
  KAFKA_SASL_USERNAME: z.string().min(1).optional(),
  KAFKA_SASL_PASSWORD: z.string().min(1).optional(),
}

/** The same for a service that brings a signer for Amazon MSK's IAM authentication (`createKafka`, `bearerToken`). */
export const kafkaSettingsWithMskIam = {
  ...kafkaSettings,
  KAFKA_SASL_MECHANISM: z.enum([...saslMechanisms, 'aws-msk-iam']).optional(),
}

const replicas = { error: 'must be a whole number from 1 to 32767, or -1 for what the brokers do by default' }

/**
 * How many replicas a topic gets that a service creates, for the service's own schema. -1, the default: as many as the brokers'
 * `default.replication.factor` says, so that the same service is right on one broker and on a cluster.
 */
export const replicationFactor = z
  .string()
  .trim()
  .regex(/^(-1|[1-9]\d{0,4})$/, { ...replicas, abort: true })
  .transform(Number)
  .refine(count => count <= 32_767, replicas)
  .default(-1)

const legalName = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/
const whatIsLegal = 'a-z, A-Z, 0-9, ".", "_" and "-", at most 249 characters'

/** Whether brokers take this as the name of a topic. */
export function isTopicName(name: string): boolean {
  return legalName.test(name)
}

/** One topic of a service's own schema. */
export const topicName = z.string().refine(isTopicName, `must be the name of a topic: ${whatIsLegal}`)

/** Topics of a service's own schema, after its `list`. */
export const topicNames = z
  .array(z.string())
  .refine(names => names.every(isTopicName), `must be names of topics: ${whatIsLegal}`)

/** Static membership (KIP-345), for the service's own schema. Kafka wants these names to be like those of topics. */
export const groupInstanceId = z.string().regex(legalName, `must consist of ${whatIsLegal}`).optional()

/** What `kafkaSettings` yields, with or without MSK IAM. */
export type KafkaSettings = z.output<z.ZodObject<typeof kafkaSettingsWithMskIam>>

/**
 * Names every setting that contradicts or misses another one. For `z.object({ ...kafkaSettings, ... })
 * .superRefine(refineKafkaSettings)`. Messages never contain values, so no secret reaches a log.
 */
export function refineKafkaSettings(
  settings: KafkaSettings,
  context: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): void {
  for (const { key, message } of contradictions(settings)) {
    context.addIssue({ code: 'custom', path: [key], message })
  }
}

function contradictions(settings: KafkaSettings): { key: keyof KafkaSettings; message: string }[] {
  const found: { key: keyof KafkaSettings; message: string }[] = []
  const mechanism = settings.KAFKA_SASL_MECHANISM
  for (const key of ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const) {
    const isGiven = settings[key] !== undefined
    if (mechanism === undefined && isGiven) {
      found.push({
        key,
        message: 'has no effect without KAFKA_SASL_MECHANISM; set that too, or unset this',
      })
    } else if (mechanism === 'aws-msk-iam' && isGiven) {
      found.push({
        key,
        message: 'has no effect with KAFKA_SASL_MECHANISM=aws-msk-iam, whose credentials are those of AWS',
      })
    } else if (mechanism !== undefined && mechanism !== 'aws-msk-iam' && !isGiven) {
      found.push({ key, message: `is required by KAFKA_SASL_MECHANISM=${mechanism}` })
    }
  }
  if (mechanism === 'aws-msk-iam' && !settings.KAFKA_TLS) {
    found.push({ key: 'KAFKA_TLS', message: 'must be true with KAFKA_SASL_MECHANISM=aws-msk-iam' })
  }
  if (settings.KAFKA_TLS_CA_FILE !== undefined && !settings.KAFKA_TLS) {
    found.push({
      key: 'KAFKA_TLS_CA_FILE',
      message: 'has no effect without KAFKA_TLS=true; set that too, or unset this',
    })
  }
  return found
}
