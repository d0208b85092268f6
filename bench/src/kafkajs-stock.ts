import { Kafka, logLevel, Partitioners, type Producer } from 'kafkajs'
import { readTask } from './task.ts'

/** kafkajs as published, with its defaults; only its log is quiet. */
export function stockKafka(): Kafka {
  return new Kafka({ clientId: 'bench', brokers: readTask().brokers, logLevel: logLevel.NOTHING })
}

export async function connectStockProducer(): Promise<Producer> {
  const producer = stockKafka().producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  return producer
}
