import { colors, printable } from '../terminal.ts'
import { timeOf } from './format-log-line.ts'
import { beginOf, nameOf, type Leg, type Place, type Trip } from './trips.ts'

// Enough to find it again in a log; an id that a caller chose is mostly shorter.
const shownIdChars = 12

/**
 * A trip in one line: `4f2c9a10… user-api POST /create → user/2@17 +3 ms → simple-consumer +2 ms, batch-consumer +812 ms`. Each
 * number is the time since the step before; consumers are all after the topic.
 * @param colored gives the name of a service its colour
 */
export function describeTrip(trip: Trip, colored: (service: string) => string): string {
  const { begin, legs } = trip
  const way: string[] = []
  if (begin !== null) way.push(`${colored(begin.service)} ${begin.request}`)
  if (begin?.fact === 'stored') way.push(begin.as + after(begin.tookMs))
  const [first = [], ...others] = legs.map(leg =>
    [describeLeg(leg, setOutAt(trip)), describeConsumers(leg, colored)].filter(step => step !== ''),
  )
  const line = [...way, ...first].join(arrow) + others.map(steps => `;${arrow}${steps.join(arrow)}`).join('')
  const at = beginOf(trip)
  const from = begin === null ? `${describeOrigin(trip)}${arrow.trimStart()}` : ''
  return `${colors.dim(at === null ? '-' : timeOf(at))} ${describeId(trip)} ${from}${line}`
}

const arrow = ` ${colors.dim('→')} `

/** From when on it was on its way to a topic. */
function setOutAt({ begin }: Trip): number | null {
  if (begin === null) return null
  return begin.fact === 'stored' ? begin.at + (begin.tookMs ?? 0) : begin.at
}

/** Nothing is known of a record that no request brought, unless it comes from a dead letter. */
function describeOrigin({ replayedFrom }: Trip): string {
  return replayedFrom === null ? '' : `replayed from ${printable(nameOf(replayedFrom))} `
}

function describeId({ correlationId, key }: Trip): string {
  const id = printable(correlationId ?? key)
  return colors.bold(id.length > shownIdChars ? `${id.slice(0, 8)}…` : id)
}

function describeLeg({ topic, places, at, newerVersion }: Leg, since: number | null): string {
  if (places.length === 0) return missing(topic)
  const newer = newerVersion === null ? '' : ` as version ${newerVersion}`
  return `${describePlaces(places)}${newer}${after(at === null || since === null ? null : at - since)}`
}

/** "user/2@17", "user/2@17, @18" */
function describePlaces([first, ...more]: Place[]): string {
  return [nameOf(first!), ...more.map(({ offset }) => `@${offset}`)].join(', ')
}

function describeConsumers({ places, at, consumers }: Leg, colored: (service: string) => string): string {
  // That nobody took what did not come says nothing new.
  if (places.length === 0) return ''
  return consumers
    .map(arrival => {
      const notes =
        arrival.notes.length === 0 ? '' : ` ${colors.yellow(`(${printable(arrival.notes.join(', '))})`)}`
      if (arrival.service === null) return `${missing(arrival.consumer)}${notes}`
      const sinceTopic = arrival.at === null || at === null ? null : arrival.at - at
      return `${colored(arrival.service)}${after(sinceTopic)}${notes}`
    })
    .join(', ')
}

/** A consumer may be faster than the answer to its producer, and clocks tell whole milliseconds. */
function after(ms: number | null): string {
  return ms === null ? '' : colors.dim(` +${Math.max(0, Math.round(ms))} ms`)
}

function missing(what: string): string {
  return colors.red(`✗ not at ${what} in time`)
}
