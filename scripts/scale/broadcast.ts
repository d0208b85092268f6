/** Instances that each have a group of their own, so that each sees every record: more of them repeat the work. */
import { readConsumerGroups, readPartitionEnds } from '@kafka-pattern/kafka-config'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { quietKafka } from '../kafka-client.ts'
import type { Runtime, Stack } from '../runtime/runtime.ts'
import { brokersFromHere } from '../stack-addresses.ts'
import { describePartitions } from './partitions.ts'
import type { Holdings, Sharing } from './sharing.ts'

export async function openBroadcast(
  service: ComposeService,
  stack: Stack,
  kind: Runtime['kind'],
): Promise<Sharing> {
  const { kafka } = quietKafka(brokersFromHere(stack, kind), 'scale')
  const topics = service.environment.KAFKA_TOPICS?.split(',') ?? []
  const partitions = await readPartitionEnds(kafka, topics)
  return {
    how: `each of which sees every record of ${topics.join(', ')}`,
    idles: 'idles',
    idleWarning: () => null,
    async holdings(instances) {
      const groups = await readConsumerGroups(kafka)
      const holdings: Holdings = new Map()
      for (const { name } of instances) {
        const members = groups.flatMap(group =>
          group.groupId.startsWith(`${name}.broadcast.`) ? group.members : [],
        )
        const whole = members.find(member => member.partitions.length === partitions.length)
        if (whole === undefined) return null
        holdings.set(name, describePartitions(whole.partitions))
      }
      return holdings
    },
    async close() {},
  }
}
