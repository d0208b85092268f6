import { expect, test } from 'vitest'
import { describeTrip } from './describe-trip.ts'
import { timeOf } from './format-log-line.ts'
import type { TripPlan } from './trip-plan.ts'
import { createTrips, type Place, type TripFact } from './trips.ts'

const plan: TripPlan = {
  topics: ['user', 'cdc.users', 'outbox.event.user'],
  consumersOf: topic =>
    ({ user: ['simple-consumer', 'batch-consumer'], 'cdc.users': ['cdc-sink'] })[topic] ?? ['outbox-sink'],
  consumerOf: service => service.replace(/-2$/, ''),
  topicsAfter: registry => (registry === 'cdc-registry' ? ['cdc.users'] : ['outbox.event.user', 'cdc.users']),
  patienceMs: 15_000,
}

const begunAt = 1_000_000
const place = (offset: number, topic = 'user', partition = 2): Place => ({
  topic,
  partition,
  offset: String(offset),
})
const produced = (offset = 17): TripFact => ({
  fact: 'produced',
  service: 'user-api',
  request: 'POST /create',
  correlationId: '4f2c9a10-1111-4222-8333-444455556666',
  at: begunAt,
  tookMs: 3.2,
  place: place(offset),
})
const stored = (version: number, changes = 1, service = 'cdc-registry'): TripFact => ({
  fact: 'stored',
  service,
  request: 'PUT /users/:id',
  correlationId: 'order-4711',
  at: begunAt,
  tookMs: 4,
  userId: 'u1',
  version,
  changes,
  as: service === 'cdc-registry' ? 'row' : 'row, outbox',
})
const record = (
  at: Place,
  version: number | null,
  afterMs: number,
  key = 'u1',
  replayedFrom: Place | null = null,
): TripFact => ({
  fact: 'record',
  replayedFrom,
  place: at,
  at: begunAt + afterMs,
  correlationId: 'order-4711',
  key,
  version,
})
const taken = (service: string, from: Place, afterMs: number, count = 1): TripFact => ({
  fact: 'taken',
  service,
  topic: from.topic,
  partition: from.partition,
  from: BigInt(from.offset),
  to: BigInt(from.offset) + BigInt(count),
  at: begunAt + afterMs,
})

/** The lines of the trips that are told after these facts, all of which come at once, and so long after them. */
function linesAfter(facts: TripFact[], waitMs = 0): string[] {
  const trips = createTrips(plan)
  for (const fact of facts) trips.apply(fact, 0)
  return trips.settle(waitMs).map(trip => describeTrip(trip, service => service))
}

const begin = timeOf(begunAt)

test('from the request over the topic to every consumer', () => {
  const facts = [
    produced(),
    record(place(17), null, 1, 'key'),
    taken('simple-consumer', place(17), 5),
    taken('batch-consumer-2', place(15), 815, 5),
  ]
  const line = `${begin} 4f2c9a10… user-api POST /create → user/2@17 +3 ms → simple-consumer +2 ms, batch-consumer-2 +812 ms`
  expect(linesAfter(facts)).toEqual([line])
  expect(linesAfter(facts.toReversed()), 'in whatever order the logs are read').toEqual([line])
})

test('a trip is told once, when it is complete, and not before', () => {
  const trips = createTrips(plan)
  trips.apply(produced(), 0)
  trips.apply(record(place(17), null, 1, 'key'), 0)
  trips.apply(taken('simple-consumer', place(17), 5), 0)
  expect(trips.settle(10_000)).toEqual([])
  // Of the offsets before and behind, and of another partition.
  trips.apply(taken('batch-consumer', place(15), 20, 2), 10_000)
  trips.apply(taken('batch-consumer', place(18), 20, 5), 10_000)
  trips.apply(taken('batch-consumer', place(10, 'user', 1), 20, 50), 10_000)
  expect(trips.settle(10_000)).toEqual([])
  trips.apply(taken('batch-consumer', place(17), 20), 10_000)
  expect(trips.settle(10_000)).toHaveLength(1)
  expect(trips.settle(60_000)).toEqual([])
})

test('a record that is read after its trip was told is not told again', () => {
  const trips = createTrips(plan)
  for (const fact of [
    produced(),
    taken('simple-consumer', place(17), 5),
    taken('batch-consumer', place(17), 9),
  ])
    trips.apply(fact, 0)
  expect(trips.settle(0)).toHaveLength(1)
  trips.apply(record(place(17), null, 1, 'key'), 100)
  expect(trips.settle(60_000)).toEqual([])
})

test('what is missing when the time is over is named', () => {
  const facts = [produced(), taken('simple-consumer', place(17), 5)]
  expect(linesAfter(facts, 14_999)).toEqual([])
  expect(linesAfter(facts, 15_000)).toEqual([
    `${begin} 4f2c9a10… user-api POST /create → user/2@17 +3 ms → simple-consumer +2 ms, ✗ not at batch-consumer in time`,
  ])
  expect(linesAfter([stored(2)], 15_000)).toEqual([
    `${begin} order-4711 cdc-registry PUT /users/:id → row +4 ms → ✗ not at cdc.users in time`,
  ])
})

test('what went wrong on the way is told, and a consumer that tries again is waited for', () => {
  const trips = createTrips(plan)
  const noted = (note: string | null): TripFact => ({
    fact: 'noted',
    service: 'batch-consumer',
    place: place(17),
    note,
  })
  trips.apply(produced(), 0)
  trips.apply(taken('simple-consumer', place(17), 5), 0)
  trips.apply(noted(null), 14_000)
  expect(trips.settle(20_000)).toEqual([])
  trips.apply(noted('attempt\u001B3'), 20_000)
  trips.apply(taken('batch-consumer', place(17), 20_003.2), 20_000)
  const [trip] = trips.settle(20_000)
  expect(describeTrip(trip!, service => service)).toMatch(/batch-consumer \+20000 ms \(attempt\?3\)$/)
})

test('a row, its events and its state, each with its own way', () => {
  const event = (offset: number) => place(offset, 'outbox.event.user', 1)
  const state = place(7, 'cdc.users', 0)
  const facts = [
    stored(3, 2, 'outbox-registry'),
    // Of the version before, and of somebody else.
    record(event(40), 1, 2),
    record(event(41), 2, 2, 'u2'),
    record(event(42), 2, 19),
    record(event(43), 3, 19),
    record(state, 3, 164),
    taken('outbox-sink', event(42), 28, 2),
    taken('cdc-sink', state, 175),
  ]
  expect(linesAfter(facts)).toEqual([
    `${begin} order-4711 outbox-registry PUT /users/:id → row, outbox +4 ms → outbox.event.user/1@42, @43 +15 ms → outbox-sink +9 ms; → cdc.users/0@7 +160 ms → cdc-sink +11 ms`,
  ])
})

test('each event of a request has to be taken, and the last one counts', () => {
  const event = (offset: number) => place(offset, 'outbox.event.user', 1)
  const state = place(7, 'cdc.users', 0)
  const trips = createTrips(plan)
  trips.apply(stored(3, 2, 'outbox-registry'), 0)
  for (const fact of [record(event(42), 2, 19), record(event(43), 3, 19), record(state, 3, 164)])
    trips.apply(fact, 0)
  trips.apply(taken('cdc-sink', state, 175), 0)
  trips.apply(taken('outbox-sink', event(43), 60), 0)
  // Meanwhile none of the records is told as one that no request brought.
  expect(trips.settle(5_000)).toEqual([])
  trips.apply(taken('outbox-sink', event(42), 28), 5_000)
  const told = trips.settle(5_000)
  expect(told.map(trip => trip.legs[0]?.consumers)).toEqual([
    [{ consumer: 'outbox-sink', service: 'outbox-sink', at: begunAt + 60, notes: [] }],
  ])
  expect(trips.settle(60_000)).toEqual([])
})

test('what came after the change is not part of its trip', () => {
  const [second, third] = [place(7, 'cdc.users', 0), place(8, 'cdc.users', 0)]
  const facts = [stored(2), record(second, 2, 104), record(third, 3, 304), taken('cdc-sink', second, 110)]
  expect(linesAfter(facts)).toEqual([
    `${begin} order-4711 cdc-registry PUT /users/:id → row +4 ms → cdc.users/0@7 +100 ms → cdc-sink +6 ms`,
  ])
})

test('a state that was overwritten before the poller looked arrives as the newer one', () => {
  const state = place(7, 'cdc.users', 0)
  const lines = linesAfter([stored(2), stored(3), record(state, 3, 204), taken('cdc-sink', state, 210)])
  expect(lines).toEqual([
    `${begin} order-4711 cdc-registry PUT /users/:id → row +4 ms → cdc.users/0@7 as version 3 +200 ms → cdc-sink +6 ms`,
    `${begin} order-4711 cdc-registry PUT /users/:id → row +4 ms → cdc.users/0@7 +200 ms → cdc-sink +6 ms`,
  ])
})

test('a record that no request brought is told after a moment, with its key where it has no correlation id', () => {
  const direct: TripFact = {
    fact: 'record',
    replayedFrom: null,
    place: place(17),
    at: begunAt,
    correlationId: null,
    key: 'key\n\u001B[1',
    version: null,
  }
  const facts = [direct, taken('simple-consumer', place(17), 2), taken('batch-consumer', place(17), 9)]
  expect(linesAfter(facts, 999)).toEqual([])
  expect(linesAfter(facts, 1_000)).toEqual([
    `${begin} key??[1 → user/2@17 → simple-consumer +2 ms, batch-consumer +9 ms`,
  ])
})

test('a dead letter that was sent back says where it comes from', () => {
  const sentBack = record(place(17), null, 0, 'key', place(5, 'user.dlt'))
  const facts = [sentBack, taken('simple-consumer', place(17), 2), taken('batch-consumer', place(17), 9)]
  expect(linesAfter(facts, 1_000)).toEqual([
    `${begin} order-4711 replayed from user.dlt/2@5 → user/2@17 → simple-consumer +2 ms, batch-consumer +9 ms`,
  ])
})

test('the log of a request may be much later than its record', () => {
  const trips = createTrips(plan)
  trips.apply(record(place(17), null, 1, 'key'), 0)
  expect(trips.settle(2_000)).toEqual([])
  trips.apply(produced(), 2_500)
  trips.apply(taken('simple-consumer', place(17), 5), 2_500)
  trips.apply(taken('batch-consumer', place(17), 5), 2_500)
  expect(trips.settle(2_500).map(trip => trip.begin?.service)).toEqual(['user-api'])
  expect(trips.settle(60_000)).toEqual([])
})

test('whoever watches too much loses the oldest, not the memory, and is told how many', () => {
  const trips = createTrips(plan)
  for (let offset = 0; offset < 2_000; offset++) trips.apply(produced(offset), 0)
  expect(trips.takeGivenUp()).toBe(0)
  for (let offset = 2_000; offset < 5_000; offset++) trips.apply(produced(offset), 0)
  expect([trips.takeGivenUp(), trips.takeGivenUp()], 'each once').toEqual([3_000, 0])
  // The record of one that was given up is no trip of its own.
  trips.apply(record(place(0), null, 1, 'key'), 100)
  const told = trips.settle(15_000)
  expect(told).toHaveLength(2_000)
  expect(told.at(-1)?.legs[0]?.places).toEqual([place(4_999)])
  expect(trips.settle(60_000)).toEqual([])
  expect(trips.takeGivenUp()).toBe(0)
})

test('what is still under way can be counted, also a record that waits for its request', () => {
  const trips = createTrips(plan)
  trips.apply(produced(), 0)
  trips.apply(record(place(17), null, 1, 'key'), 0)
  trips.apply(taken('simple-consumer', place(17), 5), 0)
  trips.apply(record(place(18), null, 2, 'other key'), 0)
  expect(trips.settle(0)).toEqual([])
  expect(trips.underWay()).toBe(2)
  trips.apply(taken('batch-consumer', place(17), 9), 10)
  expect(trips.settle(10)).toHaveLength(1)
  expect(trips.underWay()).toBe(1)
})
