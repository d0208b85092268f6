/** Pollers: one has the cursor, and works; the others take it over when that one ends. */
import type { ComposeService } from '../compose-file/compose-file.ts'
import { quietMysql } from '../mysql-client.ts'
import type { Runtime, Stack } from '../runtime/runtime.ts'
import { isOwner } from './lease-owner.ts'
import type { Sharing } from './sharing.ts'

export async function openCursor(
  service: ComposeService,
  stack: Stack,
  kind: Runtime['kind'],
): Promise<Sharing> {
  const { KAFKA_TOPIC = '', MYSQL_USER = '' } = service.environment
  const mysql = quietMysql(stack, kind, MYSQL_USER)
  return {
    how: 'one of which works while the others stand by',
    idles: 'stands by',
    idleWarning: () => null,
    async holdings(instances) {
      const [cursor] = await mysql.rows<{ holder: string | null }>(
        'SELECT IF(lease_until >= NOW(6), owner, NULL) AS holder FROM poller_cursors WHERE name = ?',
        [KAFKA_TOPIC],
      )
      const holder = cursor?.holder ?? null
      if (holder === null || !instances.some(({ process }) => isOwner(holder, process, '/'))) return null
      return new Map(
        instances.map(({ name, process }) => [
          name,
          isOwner(holder, process, '/') ? `the cursor of ${KAFKA_TOPIC}` : '',
        ]),
      )
    },
    close: () => mysql.close(),
  }
}
