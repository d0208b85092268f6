import { expect, test } from 'vitest'
import { parseComposeFile } from './compose-file.ts'
import { instanceName, serviceOfInstance } from './instances.ts'

const source = `
name: example
x-service: &service
  profiles: [pubsub]
  read_only: true
services:
  consumer:
    <<: *service
    image: consumer
    build: { context: ., args: { SERVICE: batch-consumer } }
    environment:
      KAFKA_BROKERS: \${KAFKA_BROKERS:-kafka:19092}
      KAFKA_CLUSTER_NAME: consumer
      KAFKA_CONSUMER_GROUP: consumer
      KAFKA_GROUP_INSTANCE_ID: consumer-1
      PROBE_PORT: \${PROBE_PORT:-9104}
    ports: ['127.0.0.1:\${PROBE_PORT:-9104}:\${PROBE_PORT:-9104}']
  other:
    image: apache/kafka:4.3.1
`
const instances = [
  { name: 'consumer-10', of: 'consumer', probePort: 40_010 },
  { name: 'consumer-2', of: 'consumer', probePort: 40_002 },
]

test('an instance is its service with a name and a probe of its own, and no static member of the group', () => {
  const { services } = parseComposeFile(source, {}, instances)
  expect(services.map(({ name }) => name)).toEqual(['consumer', 'consumer-2', 'consumer-10', 'other'])
  const [consumer, second] = services
  expect(consumer).toEqual(parseComposeFile(source, {}).services[0])
  expect(second).toEqual({
    ...consumer,
    name: 'consumer-2',
    instanceOf: 'consumer',
    environment: {
      KAFKA_BROKERS: 'kafka:19092',
      KAFKA_CLUSTER_NAME: 'consumer-2',
      KAFKA_CONSUMER_GROUP: 'consumer',
      PROBE_PORT: '40002',
    },
    ports: [{ hostPort: 40_002, containerPort: 40_002, variable: null }],
  })
})

test('Docker Compose gets the instances alone, whole, and fills in the variables itself', () => {
  expect(parseComposeFile(source, {}).instancesFile).toBeNull()
  const file: unknown = JSON.parse(parseComposeFile(source, {}, instances).instancesFile!)
  expect(file).toEqual({
    services: {
      'consumer-2': expect.anything(),
      'consumer-10': {
        profiles: ['pubsub'],
        read_only: true,
        image: 'consumer',
        build: { context: '.', args: { SERVICE: 'batch-consumer' } },
        environment: {
          KAFKA_BROKERS: '${KAFKA_BROKERS:-kafka:19092}',
          KAFKA_CLUSTER_NAME: 'consumer-10',
          KAFKA_CONSUMER_GROUP: 'consumer',
          PROBE_PORT: '40010',
        },
        ports: ['127.0.0.1:40010:40010'],
        labels: { 'kafka-pattern.probe-port': '40010' },
      },
    },
  })
})

test.each([
  ['consumer-2', 'consumer'],
  ['consumer-10', 'consumer'],
  ['consumer', null],
  ['consumer-1', null],
  ['consumer-x', null],
  ['other-2', null],
])('the service of %s is %s', (name, service) => {
  expect(serviceOfInstance(name, ['consumer'])).toBe(service)
})

test('the first instance is the service itself', () => {
  expect([1, 2].map(number => instanceName('consumer', number))).toEqual(['consumer', 'consumer-2'])
})
