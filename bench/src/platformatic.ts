import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { readTask } from './task.ts'

/** @platformatic/kafka with its defaults. Its CRC-32C is the native one: @node-rs/crc32 is installed here. */
export function platformaticProducer(): Producer<string, string, string, string> {
  return new Producer({
    clientId: 'bench',
    bootstrapBrokers: readTask().brokers,
    serializers: stringSerializers,
  })
}

export function platformaticConsumer(groupId: string): Consumer<string, string, string, string> {
  return new Consumer({
    clientId: 'bench',
    groupId,
    bootstrapBrokers: readTask().brokers,
    deserializers: stringDeserializers,
  })
}
