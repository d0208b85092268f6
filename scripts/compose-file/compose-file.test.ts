import { expect, test } from 'vitest'
import { parseComposeFile, servicesOf } from './compose-file.ts'

const source = `
name: example
x-shared: &shared
  KAFKA_BROKERS: \${KAFKA_BROKERS:-kafka:19092}
services:
  consumer:
    build: { context: ., args: { SERVICE: simple-consumer } }
    profiles: [pubsub]
    depends_on: { kafka: { condition: service_healthy } }
    stop_grace_period: 1m30s
    environment:
      <<: *shared
      PROBE_PORT: \${PROBE_PORT:-9104}
      HANDED_ON:
    ports: ['127.0.0.1:\${PROBE_PORT:-9104}:9104']
  kafka:
    image: apache/kafka:4.3.1
    profiles: [pubsub, cdc]
    cap_drop: [ALL]
  other:
    image: apache/kafka:4.3.1
    profiles: [cdc]
`

const parse = (text: string, variables = {}) => parseComposeFile(text, variables)

test('environment: shared by anchors, interpolated, handed on by name', () => {
  const [consumer] = parse(source, { PROBE_PORT: '9999', HANDED_ON: 'yes' }).services
  expect(consumer?.environment).toEqual({
    KAFKA_BROKERS: 'kafka:19092',
    PROBE_PORT: '9999',
    HANDED_ON: 'yes',
  })
  expect(parse(source).services[0]?.environment).not.toHaveProperty('HANDED_ON')
})

test('ports: with the variable that changes them', () => {
  expect(parse(source, { PROBE_PORT: '9999' }).services[0]?.ports).toEqual([
    { hostPort: 9999, containerPort: 9104, variable: 'PROBE_PORT' },
  ])
})

test('the rest of a service', () => {
  expect(parse(source).services[0]).toMatchObject({
    name: 'consumer',
    program: 'simple-consumer',
    image: null,
    dependsOn: [{ service: 'kafka', condition: 'service_healthy', required: true }],
    stopGracePeriodMs: 90_000,
  })
})

test('COMPOSE_PROJECT_NAME wins over the name in the file', () => {
  expect(parse(source).projectName).toBe('example')
  expect(parse(source, { COMPOSE_PROJECT_NAME: 'mine' }).projectName).toBe('mine')
})

test('a profile has its services, each after those it depends on', () => {
  const file = parse(source)
  expect(servicesOf(file, 'pubsub').map(service => service.name)).toEqual(['kafka', 'consumer'])
  expect(servicesOf(file, 'cdc').map(service => service.name)).toEqual(['kafka', 'other'])
  expect(() => servicesOf(file, 'nope')).toThrow(
    'There is no profile "nope" in docker-compose.yml; there is pubsub, cdc.',
  )
})

test('what depends on one of two services starts after whichever there is', () => {
  const file = parse(`
name: example
services:
  consumer:
    build: { context: ., args: { SERVICE: simple-consumer } }
    profiles: [pubsub]
    depends_on:
      one: { condition: service_healthy, required: false }
      other: { condition: service_healthy, required: false }
  one: { image: apache/kafka:4.3.1, profiles: [one-broker] }
  other: { image: apache/kafka:4.3.1, profiles: [three-brokers] }
`)
  const namesOf = (...profiles: string[]) => servicesOf(file, ...profiles).map(({ name }) => name)
  expect(namesOf('pubsub', 'one-broker')).toEqual(['one', 'consumer'])
  expect(namesOf('pubsub', 'three-brokers')).toEqual(['other', 'consumer'])
  expect(namesOf('pubsub')).toEqual(['consumer'])
})

test.each([
  ['a key of a service', source.replace('cap_drop', 'network_mode'), /network_mode[\s\S]*services\.kafka/],
  [
    'a condition',
    source.replace('service_healthy', 'service_completed_successfully'),
    /services\.consumer\.depends_on\.kafka\.condition/,
  ],
  ['a key at the top', `${source}\nsecrets: {}\n`, /secrets/],
  [
    'a build argument',
    source.replace('SERVICE: simple', 'OTHER: 1, SERVICE: simple'),
    /services\.consumer\.build\.args/,
  ],
])('%s that the local runtime does not know is an error, never ignored', (_what, changed, message) => {
  expect(() => parse(changed)).toThrow(message)
})

test('a port that is none names the variable to mend', () => {
  expect(() => parse(source, { PROBE_PORT: 'abc' })).toThrow(
    'PROBE_PORT must be a port number from 1 to 65535, but is "abc": change it in the environment or in .env.',
  )
  expect(() => parse(source, { PROBE_PORT: '70000' })).toThrow(
    'PROBE_PORT must be a port number from 1 to 65535, but is "70000"',
  )
})

test('a port that would be open to the network is refused', () => {
  expect(() => parse(source.replace("'127.0.0.1:$", "'$"))).toThrow(/PROBE_PORT must be a port|127\.0\.0\.1:/)
})

test('what depends on nothing that exists, or on itself, is refused', () => {
  expect(() => parse(source.replace('{ kafka: {', '{ kafak: {'))).toThrow(
    'consumer depends on kafak, which is no service',
  )
  const circle = parse(
    source.replace('cap_drop: [ALL]', 'depends_on: { consumer: { condition: service_started } }'),
  )
  expect(() => servicesOf(circle, 'pubsub')).toThrow(/consumer depends on kafka depends on consumer/)
})
