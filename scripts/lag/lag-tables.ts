/** A look as lines of text: a table for each kind of thing that can be behind. */
import { tableLines, type Column } from '../table.ts'
import { colors } from '../terminal.ts'
import type { GroupLag, Listener, PartitionLag } from './consumer-lag.ts'
import type { LagReport } from './lag-report.ts'
import type { CursorLag } from './poller-cursors.ts'
import { countedUpTo, type LaneLag, type RelayLag } from './relay-lanes.ts'

type ServiceOf = (owner: string) => string | null

/** @param serviceOf the service that names itself so when it takes a lease; null: none that is known */
export function lagTables(
  { groups, listeners, relay, pollers, sinks, withoutDatabase }: LagReport,
  serviceOf: ServiceOf = () => null,
): string[] {
  const sections = [
    withoutDatabase === undefined ? [] : describeMissing(withoutDatabase),
    groups.length === 0 && (sinks ?? []).length === 0 ? [] : groupTable(groups, sinks ?? []),
    listeners.map(describeListener),
    relay === undefined ? [] : relayTable(relay, serviceOf),
    pollers === undefined || pollers.length === 0 ? [] : pollerTable(pollers, serviceOf),
  ].filter(lines => lines.length > 0)
  if (sections.length === 0) return ['No consumer has said yet how far it is.']
  return sections.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]))
}

type GroupRow = PartitionLag & { group: string; committed: string | null }

/** The position of a sink beside what its group has committed, which is a copy of it and may be older: the lag is the sink's. */
function groupTable(groups: GroupLag[], sinks: GroupLag[]): string[] {
  const names = new Set([...groups, ...sinks].map(({ group }) => group))
  const rows = [...names].flatMap(group => {
    const committed = groups.find(each => each.group === group)?.partitions ?? []
    const stored = sinks.find(each => each.group === group)?.partitions ?? []
    const only = stored.filter(each => findSame(committed, each) === undefined)
    return [...committed, ...only].map((partition, index): GroupRow => {
      const inDatabase = findSame(stored, partition)
      return {
        ...(inDatabase ?? { ...partition, position: null }),
        group: index === 0 ? group : '',
        committed: findSame(committed, partition)?.position ?? null,
      }
    })
  })
  const columns: Column<GroupRow>[] = [
    { title: 'group', of: row => row.group },
    { title: 'partition', of: row => `${row.topic}/${row.partition}` },
    { title: 'committed', of: row => row.committed ?? '-', align: 'right' },
    { title: 'in the database', of: row => row.position ?? '', align: 'right' },
    { title: 'end', of: row => row.end, align: 'right' },
    { title: 'lag', of: row => (row.lag === null ? '-' : behind(row.lag)), align: 'right' },
    { title: 'consumer', of: row => row.consumer ?? nobody },
  ]
  return table(
    'Consumer groups',
    rows,
    sinks.length > 0 ? columns : columns.filter(({ title }) => title !== 'in the database'),
  )
}

function findSame(all: PartitionLag[], { topic, partition }: PartitionLag): PartitionLag | undefined {
  return all.find(each => each.topic === topic && each.partition === partition)
}

function describeListener({ group, consumers, partitions }: Listener): string {
  const names = [...new Set(consumers)].join(', ') || group
  const seen = `reads ${partitions} partition${partitions === 1 ? '' : 's'}`
  // The name that simple-consumer gives to a group which nobody else can be in.
  return group.includes('.broadcast.')
    ? `  ${names} ${seen} and commits nothing: it keeps its position to itself, so there is no lag to tell.`
    : `  ${names} ${seen} and has committed nothing yet: how far it is behind cannot be told.`
}

function relayTable({ newestSeq, parked, lanes }: RelayLag, serviceOf: ServiceOf): string[] {
  const rows = table('Outbox', lanes, [
    { title: 'lane', of: lane => String(lane.lane), align: 'right' },
    { title: 'published up to', of: lane => describePublished(lane), align: 'right' },
    { title: 'newest row', of: () => String(newestSeq ?? '-'), align: 'right' },
    { title: 'unpublished', of: lane => describeUnpublished(lane), align: 'right' },
    { title: 'oldest of them', of: lane => formatAge(lane.oldestUnpublishedMs), align: 'right' },
    { title: 'owner', of: lane => describeOwner(lane, serviceOf) },
  ])
  if (lanes.some(({ holes }) => holes > 0)) {
    rows.push(
      colors.dim(
        '  less: lower numbers without a row, so far (its transaction is open) or for good (it was rolled back).',
      ),
    )
  }
  if (parked > 0) {
    rows.push(colors.yellow(`  ${parked} row(s) put aside in relay_parked: Kafka does not take them.`))
  }
  return rows
}

function describePublished({ publishedUpTo, holes }: LaneLag): string {
  if (publishedUpTo === null) return '-'
  return holes === 0 ? String(publishedUpTo) : `${publishedUpTo} less ${holes}`
}

function describeUnpublished({ unpublished }: LaneLag): string {
  return unpublished < countedUpTo ? behind(unpublished) : `${behind(unpublished)} or more`
}

function pollerTable(pollers: CursorLag[], serviceOf: ServiceOf): string[] {
  const rows = table('Pollers', pollers, [
    { title: 'topic', of: poller => poller.topic },
    { title: 'cursor (UTC)', of: poller => poller.cursor },
    { title: 'behind now', of: poller => formatAge(poller.behindNowMs), align: 'right' },
    { title: 'behind the newest row', of: poller => formatAge(poller.behindNewestMs), align: 'right' },
    { title: 'owner', of: poller => describeOwner(poller, serviceOf) },
  ])
  const parked = pollers.filter(poller => poller.parked > 0)
  return [
    ...rows,
    ...parked.map(poller =>
      colors.yellow(
        `  ${poller.parked} row(s) are not in ${poller.topic} as they are in their table: too large for Kafka (poller_parked).`,
      ),
    ),
  ]
}

function describeMissing(reason: string): string[] {
  return [
    colors.red(`MySQL cannot be asked: ${reason}`),
    '  What only it knows is missing: lanes, cursors and the positions of sinks. `make doctor` looks closer.',
  ]
}

const nobody = colors.dim('nobody')

function describeOwner(
  { owner, leaseEndsInMs }: { owner: string | null; leaseEndsInMs: number | null },
  serviceOf: ServiceOf,
): string {
  if (owner === null) return nobody
  const service = serviceOf(owner)
  const name = service === null ? owner : `${service} ${colors.dim(`(${owner})`)}`
  return leaseEndsInMs !== null && leaseEndsInMs < 0
    ? `${name}, ${colors.red(`its lease ran out ${formatAge(-leaseEndsInMs)} ago`)}`
    : name
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
  const [titles, ...lines] = tableLines(columns, rows)
  return [colors.bold(title), colors.dim(titles), ...lines]
}
