/** What the demo's records came to: counts for each topic and step, how long the steps took, and what is missing. */
import type { ComposeService } from '../../compose-file/compose-file.ts'
import { baseUrl, probeUrl } from '../../stack-addresses.ts'
import { numberLines, type NumberRow } from '../../table.ts'
import { colors, failed, print } from '../../terminal.ts'
import { percentile } from '../percentile.ts'
import { printPlacesToLook } from '../places-to-look.ts'
import { formatPlace, missingSteps, type Journey, type Step } from './record-journeys.ts'

type Column = {
  title: string
  count: (journey: Journey) => boolean
  at?: (journey: Journey) => number | null
}

const columns: Column[] = [
  { title: 'sent', count: () => true },
  { title: 'acknowledged', count: j => j.acknowledgedAt !== null, at: j => j.acknowledgedAt },
  { title: 'seen by simple-consumer', count: j => j.seenAt !== null, at: j => j.seenAt },
  { title: 'processed', count: j => j.processedAt !== null, at: j => j.processedAt },
  { title: 'committed', count: j => j.committedAt !== null, at: j => j.committedAt },
  { title: 'retried', count: j => j.retries.length > 0 },
  { title: 'dead-lettered', count: j => j.deadLetteredAt !== null, at: j => j.deadLetteredAt },
]

export function printSummary(journeys: Journey[]): void {
  const topics = [...new Set(journeys.map(journey => journey.topic))]
  const latency = (name: string, share: number): NumberRow => ({
    name,
    cells: columns.map(({ at }) => (at === undefined ? '' : durationAt(share, journeys, at))),
    color: colors.dim,
  })
  const rows: NumberRow[] = [
    ...topics.map(topic => ({
      name: topic,
      cells: counts(journeys.filter(journey => journey.topic === topic)),
    })),
    { name: 'all', cells: counts(journeys), color: colors.bold },
    latency('p50 ms', 0.5),
    latency('max ms', 1),
  ]
  print()
  for (const line of numberLines(['topic', ...columns.map(({ title }) => title)], rows)) print(line)
  print()
}

/** Each record that is not where it should be, by the step that it has yet to take. */
export function printMissing(journeys: Journey[], services: ComposeService[]): void {
  const logOf: Record<Step, string> = {
    acknowledged: services.find(service => service.program === 'simple-producer')?.name ?? 'kafka',
    seen: 'simple-consumer',
    retried: 'batch-consumer',
    processed: 'batch-consumer',
    'dead-lettered': 'batch-consumer',
    committed: 'batch-consumer',
  }
  for (const [step, service] of Object.entries(logOf)) {
    const late = journeys.filter(journey => missingSteps(journey).some(missing => missing === step))
    if (late.length === 0) continue
    const records = late.map(
      journey =>
        `${journey.label} ${journey.place === null ? `to ${journey.topic}` : formatPlace(journey.place)}`,
    )
    print(`${failed} Not ${step} in time: ${records.join(', ')}. See \`make logs SERVICE=${service}\`.`)
  }
  print()
}

export function printWhereToLook(services: ComposeService[]): void {
  const apis = services.filter(service => service.program === 'simple-producer')
  const consumers = services.filter(service => service.program?.endsWith('-consumer'))
  const rows: [string, string][] = []
  for (const api of apis.slice(0, 1)) {
    const body = `-H 'content-type: application/json' -d '{"level": 42, "name": "You"}'`
    rows.push([`curl -i ${baseUrl(api)}/create ${body}`, ''])
  }
  rows.push(['make watch', 'the records through all services, live, until Ctrl-C'])
  rows.push(['make lag', 'how far everybody is behind, live, until Ctrl-C'])
  rows.push(['make dlt', 'the dead letters, with why they are there'])
  rows.push(...apis.map((api): [string, string] => [`${baseUrl(api)}/docs`, `try ${api.name} in a browser`]))
  rows.push(...consumers.map((c): [string, string] => [`${probeUrl(c)}/metrics`, `what ${c.name} counts`]))
  printPlacesToLook(rows)
}

function counts(journeys: Journey[]): number[] {
  return columns.map(({ count }) => journeys.filter(count).length)
}

function durationAt(share: number, journeys: Journey[], at: (journey: Journey) => number | null): string {
  const durations = journeys.flatMap(journey => {
    const reachedAt = at(journey)
    return reachedAt === null ? [] : [reachedAt - journey.sentAt]
  })
  const duration = percentile(durations, share)
  return duration === undefined ? '' : String(Math.round(duration))
}
