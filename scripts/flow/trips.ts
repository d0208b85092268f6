/**
 * Puts together the trip of each record: from the HTTP request, over the row, to a place in a topic, to everybody who takes it from
 * there. The facts come from different logs and from the topics themselves, in any order. Pure bookkeeping; all times are ms since 1970
 * as the services tell them, and the caller's own clock only decides how long to wait.
 */
import type { TripPlan } from './trip-plan.ts'

/** A place in Kafka: "user/2@17" is offset 17 of partition 2 of the topic user. */
export type Place = { topic: string; partition: number; offset: string }

/** What is told of a trip somewhere. `at` is when it began, `tookMs` how long it took. */
export type TripFact =
  /** A request was answered when Kafka had its record. */
  | {
      fact: 'produced'
      service: string
      request: string
      correlationId: string
      at: number
      tookMs: number
      place: Place
    }
  /** A request was answered when the database had its row, in as many versions as it made. */
  | {
      fact: 'stored'
      service: string
      request: string
      correlationId: string
      at: number
      tookMs: number | null
      userId: string
      version: number
      changes: number
      /** what was written: "row", "row, outbox" */
      as: string
    }
  /** A record is on its topic. `version` is that of the row whose state it holds, null for other records. */
  | {
      fact: 'record'
      place: Place
      at: number
      /** the dead letter that was sent back; null for other records */
      replayedFrom: Place | null
      correlationId: string | null
      key: string
      version: number | null
    }
  /** A consumer is through with these offsets, `to` excluded. */
  | { fact: 'taken'; service: string; topic: string; partition: number; from: bigint; to: bigint; at: number }
  /** Something worth telling of a record at a consumer; null: only that it is not forgotten. */
  | { fact: 'noted'; service: string; place: Place; note: string | null }

type FactOf<Name extends TripFact['fact']> = Extract<TripFact, { fact: Name }>
type Begin = FactOf<'produced'> | FactOf<'stored'>

/** At one of those who should take it. */
export type Arrival = {
  /** as the plan names it: a group, or a service that is in none */
  consumer: string
  /** who of them took it; null: nobody in time */
  service: string | null
  at: number | null
  notes: string[]
}

/** The part of a trip that leads over one topic. */
export type Leg = {
  topic: string
  /** Where its records are; none: they did not come in time. More than one when a request made several changes. */
  places: Place[]
  /** when the last of them was there */
  at: number | null
  /** of the row in the last of them, where that is a later one than the request made: it was overwritten meanwhile */
  newerVersion: number | null
  consumers: Arrival[]
}

export type Trip = {
  correlationId: string | null
  /** of the record, or of the row */
  key: string
  /** null: the record came to the topic without a request that was seen */
  begin: Begin | null
  /** the dead letter that was sent back, where that is the record */
  replayedFrom: Place | null
  legs: Leg[]
}

export type Trips = {
  apply(fact: TripFact, nowMs: number): void
  /** The trips that are complete, or will not be waited for any longer, in the order of their begin. Each is told once. */
  settle(nowMs: number): Trip[]
  /** How many trips are under way: begun, neither told nor given up. */
  underWay(): number
  /** How many trips were given up since this was last asked, because more than `mostOpen` were under way: they are never told. */
  takeGivenUp(): number
}

/** A trip that is under way: it began with a request, or with a record. */
type Open = { begin: Begin | null; record: FactOf<'record'> | null; sinceMs: number }
type Known<Fact> = { fact: Fact; sinceMs: number }

/** A record may be faster than the log line of the request that it belongs to. */
const graceMs = 1_000
/** Beyond that the oldest are given up: nobody reads so many lines. */
export const mostOpen = 2_000

/** Nothing is known at first, and nothing is kept for longer than twice the plan's patience. */
export function createTrips(plan: TripPlan): Trips {
  const open = new Set<Open>()
  /** The trips of which the place is known from the beginning. */
  const byPlace = new Map<string, Open>()
  /** Records of which no request is known yet. */
  const unclaimed = new Map<string, Known<FactOf<'record'>>>()
  const recordsByKey = new Map<string, Known<FactOf<'record'>>[]>()
  /** By consumer and partition, the single offsets by consumer and place. */
  const takenRanges = new Map<string, Known<FactOf<'taken'>>[]>()
  const takenOffsets = new Map<string, Known<FactOf<'taken'>>[]>()
  const notes = new Map<string, Known<FactOf<'noted'>>[]>()
  /** Places whose trip was told, or given up: the record itself may be read later than all that the logs say of it. */
  const toldPlaces = new Map<string, { sinceMs: number }[]>()
  let givenUp = 0

  function start(trip: Open, place: Place | null): void {
    open.add(trip)
    if (place !== null) byPlace.set(nameOf(place), trip)
    const [oldest] = open
    if (open.size <= mostOpen || oldest === undefined) return
    end(oldest, oldest.sinceMs)
    givenUp += 1
  }

  function end(trip: Open, nowMs: number): void {
    open.delete(trip)
    const place = placeOf(trip)
    if (place === null) return
    byPlace.delete(nameOf(place))
    append(toldPlaces, nameOf(place), { sinceMs: nowMs })
  }

  function begin(fact: Begin, sinceMs: number): void {
    const place = fact.fact === 'produced' ? fact.place : null
    const withoutRequest = place === null ? undefined : byPlace.get(nameOf(place))
    if (withoutRequest === undefined) start({ begin: fact, record: null, sinceMs }, place)
    else withoutRequest.begin ??= fact
    if (place !== null) unclaimed.delete(nameOf(place))
  }

  /** The records of the request's changes, up to the first one with the last state, or with a later one. */
  function recordsOf({ userId, version, changes }: FactOf<'stored'>, topic: string): FactOf<'record'>[] {
    const found: FactOf<'record'>[] = []
    for (const { fact } of recordsByKey.get(`${topic} ${userId}`) ?? []) {
      if (fact.version === null || fact.version <= version - changes) continue
      found.push(fact)
      if (fact.version >= version) break
    }
    return found
  }

  function legsOf(trip: Open): Leg[] {
    const { begin: started, record } = trip
    if (started?.fact === 'stored') {
      return plan.topicsAfter(started.service).map(topic => {
        const found = recordsOf(started, topic)
        const reached = found.at(-1)?.version ?? 0
        if (reached < started.version) return legOf(topic, [], null, null)
        const places = found.map(each => each.place)
        const at = Math.max(...found.map(each => each.at))
        return legOf(topic, places, at, reached > started.version ? reached : null)
      })
    }
    const place = placeOf(trip)
    if (place === null) return []
    return [legOf(place.topic, [place], started === null ? record!.at : started.at + started.tookMs, null)]
  }

  function legOf(topic: string, places: Place[], at: number | null, newerVersion: number | null): Leg {
    const consumers = plan.consumersOf(topic).map(consumer => arrivalOf(consumer, places))
    return { topic, places, at, newerVersion, consumers }
  }

  function arrivalOf(consumer: string, places: Place[]): Arrival {
    const taken = places.flatMap(place => takingOf(consumer, place) ?? [])
    const told = places.flatMap(place => notes.get(`${consumer} ${nameOf(place)}`) ?? [])
    const last = taken.length < places.length ? undefined : taken.toSorted((a, b) => b.at - a.at)[0]
    return {
      consumer,
      service: last?.service ?? null,
      at: last?.at ?? null,
      notes: told.flatMap(({ fact }) => fact.note ?? []),
    }
  }

  function takingOf(consumer: string, place: Place): FactOf<'taken'> | undefined {
    const single = takenOffsets.get(`${consumer} ${nameOf(place)}`)?.[0]
    if (single !== undefined) return single.fact
    const offset = BigInt(place.offset)
    const ranges = takenRanges.get(`${consumer} ${place.topic}/${place.partition}`)
    return ranges?.find(({ fact: { from, to } }) => from <= offset && offset < to)?.fact
  }

  /** A consumer that says why it takes its time is waited for. */
  function lastNewsMs({ sinceMs }: Open, legs: Leg[]): number {
    const told = legs.flatMap(({ places, consumers }) =>
      places.flatMap(place =>
        consumers.flatMap(each => notes.get(`${each.consumer} ${nameOf(place)}`) ?? []),
      ),
    )
    return Math.max(sinceMs, ...told.map(note => note.sinceMs))
  }

  function claimRecords(): void {
    for (const { begin: started } of open) {
      if (started?.fact !== 'stored') continue
      for (const topic of plan.topicsAfter(started.service)) {
        for (const { place } of recordsOf(started, topic)) unclaimed.delete(nameOf(place))
      }
    }
  }

  return {
    apply(fact, sinceMs) {
      switch (fact.fact) {
        case 'produced':
        case 'stored':
          return begin(fact, sinceMs)
        case 'record':
          append(recordsByKey, `${fact.place.topic} ${fact.key}`, { fact, sinceMs })
          if (!byPlace.has(nameOf(fact.place)) && !toldPlaces.has(nameOf(fact.place))) {
            unclaimed.set(nameOf(fact.place), { fact, sinceMs })
          }
          return
        case 'taken': {
          const consumer = plan.consumerOf(fact.service)
          const partition = `${consumer} ${fact.topic}/${fact.partition}`
          if (fact.to - fact.from === 1n) append(takenOffsets, `${partition}@${fact.from}`, { fact, sinceMs })
          else append(takenRanges, partition, { fact, sinceMs })
          return
        }
        case 'noted':
          append(notes, `${plan.consumerOf(fact.service)} ${nameOf(fact.place)}`, { fact, sinceMs })
      }
    },

    settle(nowMs) {
      claimRecords()
      for (const [name, { fact, sinceMs }] of unclaimed) {
        if (nowMs - sinceMs < graceMs) continue
        unclaimed.delete(name)
        start({ begin: null, record: fact, sinceMs }, fact.place)
      }
      const ended: Trip[] = []
      for (const trip of open) {
        const legs = legsOf(trip)
        const complete = legs.every(
          leg => leg.places.length > 0 && leg.consumers.every(({ at }) => at !== null),
        )
        if (!complete && nowMs - lastNewsMs(trip, legs) < plan.patienceMs) continue
        end(trip, nowMs)
        ended.push(tripOf(trip, legs))
      }
      const forgottenMs = nowMs - 2 * plan.patienceMs
      for (const known of [recordsByKey, takenRanges, takenOffsets, notes, toldPlaces])
        forgetBefore(known, forgottenMs)
      return ended.toSorted((a, b) => (beginOf(a) ?? 0) - (beginOf(b) ?? 0))
    },

    underWay() {
      claimRecords()
      return open.size + unclaimed.size
    },

    takeGivenUp() {
      const count = givenUp
      givenUp = 0
      return count
    },
  }
}

/** When the trip began, as far as was seen. */
export function beginOf({ begin, legs }: Trip): number | null {
  return begin?.at ?? legs[0]?.at ?? null
}

/** "user/2@17" */
export function nameOf({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}@${offset}`
}

function placeOf({ begin, record }: Open): Place | null {
  return begin?.fact === 'produced' ? begin.place : (record?.place ?? null)
}

function tripOf({ begin, record }: Open, legs: Leg[]): Trip {
  return {
    correlationId: begin?.correlationId ?? record?.correlationId ?? null,
    key: begin?.fact === 'stored' ? begin.userId : (record?.key ?? ''),
    begin,
    replayedFrom: record?.replayedFrom ?? null,
    legs,
  }
}

function append<Item>(lists: Map<string, Item[]>, name: string, item: Item): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [item])
  else list.push(item)
}

function forgetBefore(known: Map<string, { sinceMs: number }[]>, limitMs: number): void {
  for (const [name, facts] of known) {
    const kept = facts.findIndex(({ sinceMs }) => sinceMs >= limitMs)
    if (kept === -1) known.delete(name)
    else facts.splice(0, kept)
  }
}
