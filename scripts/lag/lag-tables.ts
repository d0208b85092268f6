/** A look as lines of text: a table for each kind of thing that can be behind. */
import { colors, padVisible, visibleLength } from '../terminal.ts'
import type { GroupLag, Listener } from './consumer-lag.ts'
import type { LagReport } from './lag-report.ts'
import type { CursorLag } from './poller-cursors.ts'
import { countedUpTo, type LaneLag, type RelayLag } from './relay-lanes.ts'

type Column<Row> = { title: string; of: (row: Row) => string; align?: 'right' }

export function lagTables({ groups, listeners, relay, pollers, sinks }: LagReport): string[] {
  const sections = [
    groups.length === 0 ? [] : groupTable('Consumer groups', 'committed', groups),
    listeners.map(describeListener),
    relay === undefined ? [] : relayTable(relay),
    pollers === undefined || pollers.length === 0 ? [] : pollerTable(pollers),
    sinks === undefined || sinks.length === 0 ? [] : groupTable('Sinks', 'in the database', sinks),
  ].filter(lines => lines.length > 0)
  if (sections.length === 0) return ['No consumer has said yet how far it is.']
  return sections.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]))
}

function groupTable(title: string, position: string, groups: GroupLag[]): string[] {
  const rows = groups.flatMap(({ group, partitions }) =>
    partitions.map((partition, index) => ({ ...partition, group: index === 0 ? group : '' })),
  )
  return table(title, rows, [
    { title: 'group', of: row => row.group },
    { title: 'partition', of: row => `${row.topic}/${row.partition}` },
    { title: position, of: row => row.position ?? '-', align: 'right' },
    { title: 'end', of: row => row.end, align: 'right' },
    { title: 'lag', of: row => (row.lag === null ? '-' : behind(row.lag)), align: 'right' },
    { title: 'consumer', of: row => row.consumer ?? nobody },
  ])
}

function describeListener({ group, consumers, partitions }: Listener): string {
  const names = [...new Set(consumers)].join(', ') || group
  const seen = `reads ${partitions} partition${partitions === 1 ? '' : 's'}`
  return `  ${names} ${seen} and commits nothing: it keeps its position to itself, so there is no lag to tell.`
}

function relayTable({ newestSeq, parked, lanes }: RelayLag): string[] {
  const rows = table('Outbox', lanes, [
    { title: 'lane', of: lane => String(lane.lane), align: 'right' },
    { title: 'published up to', of: lane => describePublished(lane), align: 'right' },
    { title: 'newest row', of: () => String(newestSeq ?? '-'), align: 'right' },
    { title: 'unpublished', of: lane => describeUnpublished(lane), align: 'right' },
    { title: 'oldest of them', of: lane => formatAge(lane.oldestUnpublishedMs), align: 'right' },
    { title: 'owner', of: lane => describeOwner(lane) },
  ])
  if (parked === 0) return rows
  return [...rows, colors.yellow(`  ${parked} row(s) put aside in relay_parked: Kafka does not take them.`)]
}

function describePublished({ publishedUpTo, holes }: LaneLag): string {
  if (publishedUpTo === null) return '-'
  return holes === 0 ? String(publishedUpTo) : `${publishedUpTo} less ${holes}`
}

function describeUnpublished({ unpublished }: LaneLag): string {
  return unpublished < countedUpTo ? behind(unpublished) : `${behind(unpublished)} or more`
}

function pollerTable(pollers: CursorLag[]): string[] {
  return table('Pollers', pollers, [
    { title: 'topic', of: poller => poller.topic },
    { title: 'cursor (UTC)', of: poller => poller.cursor },
    { title: 'behind now', of: poller => formatAge(poller.behindNowMs), align: 'right' },
    { title: 'behind the newest row', of: poller => formatAge(poller.behindNewestMs), align: 'right' },
    { title: 'owner', of: poller => describeOwner(poller) },
  ])
}

const nobody = colors.dim('nobody')

function describeOwner({
  owner,
  leaseEndsInMs,
}: {
  owner: string | null
  leaseEndsInMs: number | null
}): string {
  if (owner === null) return nobody
  return leaseEndsInMs !== null && leaseEndsInMs < 0
    ? `${owner} ${colors.red(`(its lease ran out ${formatAge(-leaseEndsInMs)} ago)`)}`
    : owner
}

function behind(count: number): string {
  return count === 0 ? '0' : colors.yellow(String(count))
}

/** "0.3 s", "2 min 5 s", "3 h 10 min", "20 d"; "-" for null. */
export function formatAge(ms: number | null): string {
  if (ms === null) return '-'
  const seconds = ms / 1_000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`
}

function table<Row>(title: string, rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  const cells = rows.map(row => columns.map(column => column.of(row)))
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...cells.map(row => visibleLength(row[i]!))),
  )
  const line = (texts: string[]) =>
    `  ${texts
      .map((text, i) => {
        const padding = ' '.repeat(widths[i]! - visibleLength(text))
        return columns[i]!.align === 'right' ? padding + text : padVisible(text, widths[i]!)
      })
      .join('  ')}`.trimEnd()
  return [colors.bold(title), colors.dim(line(columns.map(column => column.title))), ...cells.map(line)]
}
