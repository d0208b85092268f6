/** Records at an even pace, whatever becomes of those before: how long a pause is for callers shows only if they go on calling. */
import { randomUUID } from 'node:crypto'
import { createdEntityRecord, EntityCreated } from '@kafka-pattern/events'
import { classifyKafkaError, type GatheringProducer } from '@kafka-pattern/kafka-config'
import type { ComposeService } from '../../compose-file/compose-file.ts'
import { baseUrl } from '../../stack-addresses.ts'

export const createsPerSecond = 200

const tickMs = 10
const keys = 5
/** A record of each key. */
const numberedEveryMs = 100
const answerTimeoutMs = 30_000

/** Times are ms of performance.now(). */
export type SentRecord = {
  /** null: the answer that would name it did not come */
  key: string | null
  /** rises with every record of its key */
  sequence: number
  sentAt: number
  /** null when it was not acknowledged */
  acknowledged: { at: number; partition: number } | null
}

export type Load = {
  /** No more is sent; resolves when all that was sent has its answer. */
  stop(): Promise<{ creates: SentRecord[]; numbered: SentRecord[] }>
}

/**
 * Creates over HTTP, each with a key of its own; and beside them, by a producer of the demo, numbered records of a few keys that do not
 * wait for each other, which would show it if a broker's death turned two of them round.
 */
export function startLoad(api: ComposeService, producer: GatheringProducer, topic: string): Load {
  const creates: Promise<SentRecord>[] = []
  const numbered: Promise<SentRecord>[] = []
  const keep = (list: Promise<SentRecord>[], sent: Promise<SentRecord>) => {
    list.push(sent)
    // A defect is told by `stop`, and does not end the process before.
    sent.catch(() => {})
  }
  const startedAt = performance.now()
  const creating = setInterval(() => {
    // By the clock: a timer that fires late catches up.
    const due = ((performance.now() - startedAt) / 1_000) * createsPerSecond
    while (creates.length < due) keep(creates, create(api))
  }, tickMs)

  const ids = Array.from({ length: keys }, () => randomUUID())
  let sequence = 0
  const numbering = setInterval(() => {
    sequence++
    for (const id of ids) keep(numbered, sendNumbered(producer, topic, id, sequence))
  }, numberedEveryMs)

  return {
    async stop() {
      clearInterval(creating)
      clearInterval(numbering)
      return { creates: await Promise.all(creates), numbered: await Promise.all(numbered) }
    },
  }
}

async function create(api: ComposeService): Promise<SentRecord> {
  const sentAt = performance.now()
  const unanswered = { key: null, sequence: 0, sentAt, acknowledged: null }
  try {
    const response = await fetch(`${baseUrl(api)}/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-correlation-id': randomUUID() },
      body: JSON.stringify({ level: 0, name: '0' }),
      signal: AbortSignal.timeout(answerTimeoutMs),
    })
    const body = await response.text()
    if (response.status !== 201) return unanswered
    const { id } = EntityCreated.parse(JSON.parse(body))
    const partition = Number(response.headers.get('x-kafka-partition'))
    return { ...unanswered, key: id, acknowledged: { at: performance.now(), partition } }
  } catch (error) {
    // No answer is an outcome, too, and is counted as one.
    if (error instanceof TypeError || (error instanceof Error && error.name === 'TimeoutError'))
      return unanswered
    throw error
  }
}

async function sendNumbered(
  producer: GatheringProducer,
  topic: string,
  id: string,
  sequence: number,
): Promise<SentRecord> {
  const sentAt = performance.now()
  const record = createdEntityRecord(
    { level: 0, name: String(sequence) },
    { topic, correlationId: randomUUID() },
  )
  const value: EntityCreated = { id, event: 'create', level: 0, name: String(sequence) }
  const sent = { key: id, sequence, sentAt, acknowledged: null }
  try {
    const { partition } = await producer.send({ ...record, key: id, value: JSON.stringify(value) })
    return { ...sent, acknowledged: { at: performance.now(), partition } }
  } catch (error) {
    if (classifyKafkaError(error) === 'retryable') return sent
    throw error
  }
}
