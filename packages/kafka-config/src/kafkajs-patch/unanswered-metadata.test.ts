import { expect, test } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const Cluster = internal('cluster')

test('metadata that no broker gave is an error by name, and not nothing', async () => {
  const cluster = {
    retrier: (attempt: (bail: (error: unknown) => void) => Promise<unknown>) =>
      new Promise((resolve, reject) => void attempt(reject).then(resolve)),
    // Whatever goes wrong with a broker, the pool asks the next one, and after the last it answers null.
    brokerPool: { refreshMetadataIfNecessary: async () => {}, withBroker: async () => null },
  }
  await expect(Cluster.prototype.metadata.call(cluster, { topics: ['user'] })).rejects.toMatchObject({
    name: 'KafkaJSBrokerNotFound',
  })
})
