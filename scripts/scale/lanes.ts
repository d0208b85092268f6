/** Relays: each lane of the outbox is published by one of them, which has its lease. */
import type { ComposeService } from '../compose-file/compose-file.ts'
import { quietMysql } from '../mysql-client.ts'
import type { Runtime, Stack } from '../runtime/runtime.ts'
import { isOwner } from './lease-owner.ts'
import type { Holdings, RunningInstance, Sharing } from './sharing.ts'

export type LaneHolder = {
  lane: number
  /** null: nobody, or somebody whose lease has run out */
  holder: string | null
}

export async function openLanes(
  service: ComposeService,
  stack: Stack,
  kind: Runtime['kind'],
): Promise<Sharing> {
  const mysql = quietMysql(stack, kind, service.environment.MYSQL_USER ?? '')
  const readLanes = () =>
    mysql.rows<LaneHolder>(
      'SELECT lane, IF(lease_until >= NOW(6), owner, NULL) AS holder FROM relay_leases ORDER BY lane',
    )
  const count = await readLanes().then(
    found => found.length,
    async (error: unknown) => {
      await mysql.close()
      throw error
    },
  )
  const lanes = `${count} lane${count === 1 ? '' : 's'}`
  return {
    how: `which share ${lanes}`,
    idles: 'idles',
    idleWarning(instances) {
      const idle = instances - count
      if (idle <= 0) return null
      return (
        `RELAY_LANES makes ${lanes}: ${idle} of the ${instances} instances will idle. Set it in .env before the first \`make outbox-up\`; ` +
        'once a relay has started, see "Another number of lanes" in services/outbox-relay/README.md.'
      )
    },
    holdings: async instances => lanesOf(await readLanes(), instances),
    close: () => mysql.close(),
  }
}

/** Pure: who has which lanes, once each is published by one of these and none has less than its share. */
export function lanesOf(lanes: LaneHolder[], instances: RunningInstance[]): Holdings | null {
  const share = Math.floor(lanes.length / instances.length)
  const holdings: Holdings = new Map()
  let held = 0
  for (const { name, process } of instances) {
    const own = lanes.filter(({ holder }) => holder !== null && isOwner(holder, process, '-'))
    if (own.length < share) return null
    held += own.length
    holdings.set(name, own.length === 0 ? '' : `lane ${own.map(({ lane }) => lane).join()}`)
  }
  return held === lanes.length ? holdings : null
}
