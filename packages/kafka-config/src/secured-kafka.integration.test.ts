import { execFile } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findFreePorts } from '@kafka-pattern/local-stack'
import {
  connectTo,
  createTopic,
  eventually,
  produce,
  startOwnKafka,
  uniqueName,
} from '@kafka-pattern/test-kit'
import { pino } from 'pino'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { classifyKafkaError } from './errors.ts'
import { createGroupConsumer } from './group-consumer.ts'
import { createKafka, withAdmin } from './kafka.ts'
import type { KafkaSettings } from './settings.ts'
import { waitForKafka } from './wait-for-kafka.ts'

const username = 'alice'
const password = 'alice-secret-4711'
let plaintext: string
let sasl: string
let tls: string
let saslTls: string
let caFile: string

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'kafka-pattern-tls-'))
  const certificate = await createCertificate(dir)
  caFile = certificate.authority
  const [plaintextPort, controllerPort, saslPort, tlsPort, saslTlsPort] = await findFreePorts(5)
  const listeners = {
    PLAINTEXT: plaintextPort,
    SASL_PLAINTEXT: saslPort,
    SSL: tlsPort,
    SASL_SSL: saslTlsPort,
  }
  const addresses = Object.entries(listeners).map(([name, port]) => `${name}://127.0.0.1:${port}`)
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  // Kafka's own validator for development: it believes every token that is not signed and not expired.
  const oauthBearer =
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
  const jaas = ['sasl_plaintext', 'sasl_ssl'].flatMap(listener => [
    [`listener.name.${listener}.plain.sasl.jaas.config`, plain],
    [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`, scram],
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`, scram],
    [`listener.name.${listener}.oauthbearer.sasl.jaas.config`, oauthBearer],
  ])
  const kafka = await startOwnKafka({
    ports: [plaintextPort!],
    config: {
      'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
      listeners: [...addresses, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
      'advertised.listeners': addresses.join(','),
      'listener.security.protocol.map': [
        ...Object.keys(listeners).map(name => `${name}:${name}`),
        'CONTROLLER:PLAINTEXT',
      ].join(','),
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      'ssl.keystore.type': 'PKCS12',
      'ssl.keystore.location': certificate.keystore,
      'ssl.keystore.password': certificate.keystorePassword,
      ...Object.fromEntries(jaas),
    },
  })
  const address = (name: keyof typeof listeners) => `127.0.0.1:${listeners[name]}`
  plaintext = address('PLAINTEXT')
  sasl = address('SASL_PLAINTEXT')
  tls = address('SSL')
  saslTls = address('SASL_SSL')
  await createScramUser(plaintextPort!, username, password)
  for (const mechanism of ['scram-sha-256', 'scram-sha-512'] as const) {
    const client = clientFor(settingsFor(sasl, { KAFKA_SASL_MECHANISM: mechanism, ...credentials }))
    // The broker hears of the user a moment after its controller has it.
    await eventually(() => withAdmin(client.kafka, admin => admin.describeCluster()), {
      what: `the user to be known for ${mechanism}`,
    })
  }
  return async () => {
    await kafka.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

function settingsFor(broker: string, changes: Partial<KafkaSettings>): KafkaSettings {
  return { KAFKA_BROKERS: [broker], KAFKA_CLUSTER_NAME: 'test', KAFKA_TLS: false, ...changes }
}

/** A client whose log lines of all levels are kept. */
function clientFor(settings: KafkaSettings) {
  const lines: string[] = []
  const logger = pino({ level: 'trace' }, { write: line => void lines.push(line) })
  return { kafka: createKafka(settings, logger), logger, lines }
}

const credentials = { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password }

test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
  'authenticates with %s, and puts no password into its log',
  async mechanism => {
    const { kafka, logger, lines } = clientFor(
      settingsFor(sasl, { KAFKA_SASL_MECHANISM: mechanism, ...credentials }),
    )
    await waitForKafka(kafka, { logger })
    expect(lines.length).toBeGreaterThan(0)
    expectNoSecretIn(lines.join('\n'), password)
  },
)

test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
  'a wrong password with %s ends the wait at once, with an error that says so and does not show it',
  async mechanism => {
    const wrong = 'wrong-secret-0815'
    const { kafka, logger, lines } = clientFor(
      settingsFor(sasl, { KAFKA_SASL_MECHANISM: mechanism, ...credentials, KAFKA_SASL_PASSWORD: wrong }),
    )
    const error: unknown = await waitForKafka(kafka, { logger }).catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(Error)
    expect(classifyKafkaError(error)).toBe('fatal')
    expect(String(error)).toMatch(/authentication failed/i)
    expectNoSecretIn(lines.join('\n') + JSON.stringify(error) + String(error), wrong)
  },
)

test('aws-msk-iam: each connection authenticates with a token of its own, which no log has; a refused one ends the wait', async () => {
  const settings = settingsFor(saslTls, {
    KAFKA_TLS: true,
    KAFKA_TLS_CA_FILE: caFile,
    KAFKA_SASL_MECHANISM: 'aws-msk-iam',
  })
  const lines: string[] = []
  const logger = pino({ level: 'trace' }, { write: line => void lines.push(line) })
  const given: string[] = []
  const bearerToken = async () => {
    given.push(unsecuredToken({ sub: `lambda-${given.length}`, lifetimeSeconds: 60 }))
    return given.at(-1)!
  }
  await waitForKafka(createKafka(settings, logger, { bearerToken }), { logger })
  await waitForKafka(createKafka(settings, logger, { bearerToken }), { logger })
  expect(given).toHaveLength(2)
  for (const token of given) expect(lines.join('\n')).not.toContain(token)

  const refused: unknown = await waitForKafka(createKafka(settings, logger, { bearerToken: expiredToken }), {
    logger,
  }).catch((failure: unknown) => failure)
  expect(classifyKafkaError(refused)).toBe('fatal')
  expect(String(refused)).toMatch(/token|authentication/i)
})

async function expiredToken(): Promise<string> {
  return unsecuredToken({ sub: 'lambda', lifetimeSeconds: -60 })
}

/** A JSON Web Token without a signature. */
function unsecuredToken({ sub, lifetimeSeconds }: { sub: string; lifetimeSeconds: number }): string {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const claims = { sub, iat: nowSeconds - 120, exp: nowSeconds + lifetimeSeconds }
  const [header, payload] = [{ alg: 'none' }, claims].map(part =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  return `${header}.${payload}.`
}

test('a consumer with a wrong password fails its start', async () => {
  const { kafka, logger } = clientFor(
    settingsFor(sasl, { KAFKA_SASL_MECHANISM: 'plain', ...credentials, KAFKA_SASL_PASSWORD: 'wrong' }),
  )
  const consumer = createGroupConsumer(kafka, { groupId: 'any', topics: ['any'], from: 'latest', logger })
  onTestFinished(() => consumer.stop())
  await expect(consumer.start({ onRecords: () => {} })).rejects.toThrow(/authentication failed/i)
})

test('trusts the authority of KAFKA_TLS_CA_FILE, and nobody without it', async () => {
  const trusting = clientFor(settingsFor(tls, { KAFKA_TLS: true, KAFKA_TLS_CA_FILE: caFile }))
  await waitForKafka(trusting.kafka, { logger: trusting.logger })

  const suspicious = clientFor(settingsFor(tls, { KAFKA_TLS: true }))
  const error: unknown = await waitForKafka(suspicious.kafka, { logger: suspicious.logger }).catch(
    (failure: unknown) => failure,
  )
  expect(String(error)).toMatch(/self-signed certificate/)
  expect(classifyKafkaError(error)).toBe('fatal')
})

test('consumes over TLS with SCRAM', async () => {
  const settings = settingsFor(saslTls, {
    KAFKA_TLS: true,
    KAFKA_TLS_CA_FILE: caFile,
    KAFKA_SASL_MECHANISM: 'scram-sha-512',
    ...credentials,
  })
  const { kafka, logger } = clientFor(settings)
  const on = connectTo([plaintext])
  const topic = await createTopic({ on })
  const consumer = createGroupConsumer(kafka, {
    groupId: uniqueName('group'),
    topics: [topic],
    from: 'earliest',
    logger,
  })
  onTestFinished(() => consumer.stop())
  const seen: string[] = []
  await consumer.start({
    onRecords: ({ records }) => void seen.push(...records.map(({ value }) => String(value))),
  })
  await produce([{ topic, key: 'k', value: 'over TLS' }], on)
  await eventually(() => expect(seen).toEqual(['over TLS']), { what: 'the record' })
})

function expectNoSecretIn(text: string, secret: string): void {
  expect(text).not.toContain(secret)
  expect(text).not.toContain(Buffer.from(secret).toString('base64').slice(0, -4))
  expect(text).not.toContain(Buffer.from(secret).toString('hex'))
}

/** keytool is part of Java, which the broker needs anyway. */
async function createCertificate(dir: string) {
  const keystore = join(dir, 'broker.p12')
  const keystorePassword = randomBytes(12).toString('hex')
  const keytool = (...args: string[]) =>
    promisify(execFile)('keytool', [
      ...args,
      '-keystore',
      keystore,
      '-storepass',
      keystorePassword,
      '-alias',
      'broker',
    ])
  await keytool(
    '-genkeypair',
    '-keyalg',
    'EC',
    '-storetype',
    'PKCS12',
    '-validity',
    '2',
    '-dname',
    'CN=127.0.0.1',
    '-ext',
    'SAN=ip:127.0.0.1',
    '-ext',
    'bc=ca:true',
  )
  const authority = join(dir, 'ca.pem')
  await keytool('-exportcert', '-rfc', '-file', authority)
  return { keystore, keystorePassword, authority }
}

/**
 * AlterUserScramCredentials (key 51, version 0), which kafkajs does not have: creates the user for both mechanisms.
 * https://kafka.apache.org/protocol#The_Messages_AlterUserScramCredentials
 */
async function createScramUser(port: number, user: string, secret: string): Promise<void> {
  const iterations = 4096
  const mechanisms = [
    { mechanism: 1, digest: 'sha256', bytes: 32 },
    { mechanism: 2, digest: 'sha512', bytes: 64 },
  ]
  // One request each: a user may stand in a request only once.
  for (const { mechanism, digest, bytes } of mechanisms) {
    const salt = randomBytes(16)
    const salted = pbkdf2Sync(secret, salt, iterations, bytes, digest)
    const name = compact(Buffer.from(user))
    const upsertion = [
      name,
      Buffer.from([mechanism]),
      int32(iterations),
      compact(salt),
      compact(salted),
      noTags,
    ]
    const header = [Buffer.from([0, 51, 0, 0]), int32(1), noClientId, noTags]
    const request = Buffer.concat([...header, arrayOf(0), arrayOf(1), ...upsertion, noTags])
    const socket = connect(port, '127.0.0.1')
    socket.write(Buffer.concat([int32(request.length), request]))
    const [response]: Buffer[] = await once(socket, 'data')
    socket.destroy()
    // size, correlation id, tags, throttle time, array length, then the first result: user, error code
    const errorCode = response!.readInt16BE(4 + 4 + 1 + 4 + 1 + name.length)
    if (errorCode !== 0) throw new Error(`the broker did not create the user: error ${errorCode}`)
  }
}

const noClientId = Buffer.from([0xff, 0xff])
const arrayOf = (length: number) => Buffer.from([length + 1])
const noTags = Buffer.from([0])

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32BE(value)
  return buffer
}

/** Length + 1 as an unsigned varint of one byte, then the bytes. */
function compact(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([bytes.length + 1]), bytes])
}
