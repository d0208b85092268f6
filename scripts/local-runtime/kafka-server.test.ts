import { expect, test } from 'vitest'
import { brokerProperties } from './kafka-server.ts'

test('variables of the image become broker properties, but for what places a container', () => {
  expect(
    brokerProperties({
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_SOME__THING___ELSE: 'x',
      KAFKA_NODE_ID: '1',
      KAFKA_LISTENERS: 'INTERNAL://:19092',
      KAFKA_ADVERTISED_LISTENERS: 'INTERNAL://kafka:19092',
      KAFKA_LOG_DIRS: '/var/lib/kafka/data',
      KAFKA_HEAP_OPTS: '-Xmx512m',
      CLUSTER_ID: 'abc',
    }),
  ).toEqual({ 'auto.create.topics.enable': 'false', 'some_thing-else': 'x' })
})
