import { expect, test } from 'vitest'
import { brokerProperties, membersOf } from './kafka-server.ts'

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

test('the members of a cluster are services, in the order of their node ids', () => {
  expect(membersOf(voting('1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093'))).toEqual([
    'kafka-1',
    'kafka-2',
    'kafka-3',
  ])
  expect(membersOf(voting('1@localhost:9093'))).toHaveLength(1)
  expect(() => membersOf(voting('2@kafka-2:9093,1@kafka-1:9093'))).toThrow('"2@kafka-2:9093"')
})

function voting(KAFKA_CONTROLLER_QUORUM_VOTERS: string) {
  return { environment: { KAFKA_CONTROLLER_QUORUM_VOTERS } }
}
