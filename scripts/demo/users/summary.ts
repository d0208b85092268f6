/** What the demo's changes came to: counts for each kind, how long they took to the topic and to the replica, what was kept. */
import { USER_EVENT_TYPES } from '@kafka-pattern/events'
import type { ComposeService } from '../../compose-file/compose-file.ts'
import { isConnect } from '../../local-runtime/connect-server.ts'
import { baseUrl, probeUrl } from '../../stack-addresses.ts'
import { numberLines, type NumberRow } from '../../table.ts'
import { colors, done, failed, print } from '../../terminal.ts'
import type { TracedChange } from './change-ledger.ts'
import { unseen, type Check } from './check-pledge.ts'
import type { Pattern } from './patterns.ts'
import { percentile } from '../percentile.ts'
import { printPlacesToLook } from '../places-to-look.ts'

export function printSummary(changes: TracedChange[], pattern: Pattern): void {
  const latency = (name: string, share: number): NumberRow => ({
    name: `${name} ms after commit`,
    cells: ['', duration(changes, 'seenAt', share), '', duration(changes, 'inReplicaAt', share)],
    color: colors.dim,
  })
  const rows: NumberRow[] = [
    ...USER_EVENT_TYPES.map(kind => ({
      name: kind,
      cells: counts(changes.filter(change => change.kind === kind)),
    })),
    { name: 'all', cells: counts(changes), color: colors.bold },
    latency('p50', 0.5),
    latency('p99', 0.99),
  ]
  const titles = ['change', 'committed', `on ${pattern.topic}`, 'never seen', 'in the replica'] as const
  print()
  for (const line of numberLines(titles, rows)) print(line)
  if (unseen(changes).length > 0)
    print(colors.dim('  in the replica: its row is as of that change, or of one after it'))
  print()
}

function counts(changes: TracedChange[]): number[] {
  const notSeen = unseen(changes).length
  const inReplica = changes.filter(change => change.inReplicaAt !== null).length
  return [changes.length, changes.length - notSeen, notSeen, inReplica]
}

function duration(changes: TracedChange[], until: 'seenAt' | 'inReplicaAt', share: number): string {
  const durations = changes.flatMap(change => {
    const at = change[until]
    // The answer that tells of the commit may come after the record itself.
    return at === null ? [] : [Math.max(0, at - change.committedAt)]
  })
  return percentile(durations, share)?.toFixed(0) ?? ''
}

export function printChecks(checks: Check[]): void {
  for (const { kept, sentence } of checks) print(`  ${kept ? done : failed} ${sentence}`)
  print()
}

export function printWhereToLook(pattern: Pattern, services: ComposeService[]): void {
  const registry = services.find(service => service.name === pattern.registry)
  const rows: [string, string][] = []
  if (registry !== undefined) {
    const body = `-H 'content-type: application/json' -d '{"name": "You", "level": 42}'`
    rows.push([`curl -i ${baseUrl(registry)}/users ${body}`, ''])
    rows.push([`${baseUrl(registry)}/docs`, `try ${registry.name} in a browser`])
  }
  rows.push(['make watch', 'the changes through all services, live, until Ctrl-C'])
  rows.push(['make lag', 'how far everybody is behind, live, until Ctrl-C'])
  rows.push(['make sql', "the tables, in the database's own client"])
  for (const name of [pattern.reader, pattern.sink]) {
    const service = services.find(candidate => candidate.name === name)
    if (service?.environment.PROBE_PORT) rows.push([`${probeUrl(service)}/metrics`, `what ${name} counts`])
  }
  const connect = services.find(isConnect)
  if (connect !== undefined) {
    const url = `http://127.0.0.1:${connect.ports[0]?.hostPort}/connectors?expand=status`
    rows.push([`curl ${url}`, 'how the connector does'])
  }
  printPlacesToLook(rows)
}
