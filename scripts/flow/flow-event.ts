/** What the services say about records in their logs, as one type: the demo and `make watch` live on nothing else. */
import { z } from 'zod'

/** When it was logged, in ms since 1970: pino adds it to every line. */
const logged = { time: z.number().optional() }
const place = { ...logged, topic: z.string(), partition: z.number(), offset: z.coerce.string() }

/** Steps of one record, or of the batch it is in. */
const recordStep = z.discriminatedUnion('msg', [
  z.object({
    msg: z.literal('record acknowledged'),
    ...place,
    durationMs: z.number(),
    correlationId: z.string().optional(),
  }),
  z.object({ msg: z.literal('record processed'), ...place, batch: z.number(), attempts: z.number() }),
  z.object({
    msg: z.literal('record retried'),
    ...place,
    attempt: z.number(),
    delayMs: z.number(),
    reason: z.string(),
  }),
  z.object({
    msg: z.literal('record dead-lettered'),
    ...place,
    category: z.string(),
    reason: z.string(),
    deadLetterTopic: z.string(),
    deadLetterPartition: z.number(),
    deadLetterOffset: z.coerce.string(),
  }),
  z.object({
    msg: z.literal('batch committed'),
    ...logged,
    topic: z.string(),
    partition: z.number(),
    batch: z.number(),
    records: z.number(),
    firstOffset: z.coerce.string(),
    nextOffset: z.coerce.string(),
  }),
])

/** Steps on the way of a row to its replica. */
const rowStep = z.discriminatedUnion('msg', [
  z.object({
    msg: z.literal('user stored'),
    ...logged,
    userId: z.string(),
    version: z.number(),
    events: z.array(z.string()),
    correlationId: z.string(),
    durationMs: z.number().optional(),
  }),
  z.object({ msg: z.literal('changes published'), topic: z.string(), records: z.number() }),
  z.object({ msg: z.literal('events published'), records: z.number() }),
  z.object({
    msg: z.literal('row parked'),
    seq: z.coerce.string(),
    aggregateid: z.string(),
    reason: z.string(),
  }),
  z.object({
    msg: z.literal('row too large'),
    topic: z.string(),
    table: z.string(),
    key: z.string(),
    reason: z.string(),
  }),
  z.object({
    msg: z.literal('batch applied'),
    ...logged,
    topic: z.string(),
    partition: z.number(),
    records: z.number(),
    firstOffset: z.coerce.string(),
    nextOffset: z.coerce.string(),
    upserted: z.number(),
    deleted: z.number(),
    stale: z.number(),
  }),
])

/** simple-consumer prints every record it sees as a line of text: [consume] topic partition offset key value */
export type RecordSeen = {
  msg: 'record seen'
  topic: string
  partition: number
  offset: string
  key: string
  value: string
}

export type RecordStep = z.output<typeof recordStep> | RecordSeen
export type RowStep = z.output<typeof rowStep>
export type FlowEvent = RecordStep | RowStep

const schema = z.union([recordStep, rowStep])
const recordMessages = new Set(['record seen', ...recordStep.options.map(({ shape }) => shape.msg.value)])

export function isRecordStep(event: FlowEvent): event is RecordStep {
  return recordMessages.has(event.msg)
}

/** The event that a line of a service's log tells, null for every other line. */
export function parseFlowEvent(line: string): FlowEvent | null {
  const seen = /^\[consume\] (\S+) (\d+) (\d+) (\S+) ?(.*)$/s.exec(line)
  if (seen !== null) {
    const [, topic = '', partition, offset = '', key = '', value = ''] = seen
    return { msg: 'record seen', topic, partition: Number(partition), offset, key, value }
  }
  if (!line.startsWith('{')) return null
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    // A line that only looks like JSON, or one that was cut off by the end of its process, is no event.
    return null
  }
  const parsed = schema.safeParse(json)
  return parsed.success ? parsed.data : null
}
