import { colors } from '../terminal.ts'
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
  const { begin } = trip
  const steps: string[] = []
  let storedAt: number | null = null
  if (begin !== null) {
    steps.push(`${colored(begin.service)} ${begin.request}`)
    if (begin.fact === 'stored') steps.push(begin.as + after(begin.tookMs))
    storedAt = begin.at + (begin.tookMs ?? 0)
  }
  const legs = trip.legs.map(leg => [
    describeLeg(leg, begin?.fact === 'produced' ? begin.at : storedAt),
    describeConsumers(leg, colored),
  ])
  const [first = [], ...more] = legs.map(parts => parts.filter(part => part !== ''))
  const line = [...steps, ...first].join(arrow)
  const others = more.map(parts => `;${arrow}${parts.join(arrow)}`).join('')
  const at = beginOf(trip)
  return `${colors.dim(at === null ? '-' : timeOf(at))} ${describeId(trip)} ${begin === null ? arrow.trimStart() : ''}${line}${others}`
}

const arrow = ` ${colors.dim('→')} `

function describeId({ correlationId, key }: Trip): string {
  const id = correlationId ?? key
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
      const notes = arrival.notes.length === 0 ? '' : ` ${colors.yellow(`(${arrival.notes.join(', ')})`)}`
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
