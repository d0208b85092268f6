/** Tells the journeys of the demo's records while they happen, in lines that fit a terminal. */
import type { ComposeService } from '../../compose-file/compose-file.ts'
import { colorOf, colors, nameWidth, padVisible, print } from '../../terminal.ts'
import { formatPlace, type Journey, type Step } from './record-journeys.ts'

export type Narrator = { tell(step: Step, journey: Journey): void }

export function createNarrator(services: ComposeService[]): Narrator {
  const names = services.map(service => service.name)
  const line = (service: string, text: string) =>
    print(`  ${colorOf(service, names)(padVisible(service, nameWidth))} ${text}`)
  const apiOf = (topic: string) =>
    services.find(service => service.environment.KAFKA_TOPIC === topic)?.name ?? topic
  // Of one batch all records are committed at once: one line for them, when the last of the commit is told.
  let committed: Journey[] = []

  function tellCommits(): void {
    // Several batches can end in the same turn of the event loop: a line for each.
    const batches = Map.groupBy(
      committed,
      ({ batch, place }) => `batch ${batch} of ${place!.topic}/${place!.partition}`,
    )
    committed = []
    for (const [batch, journeys] of batches) {
      const inOrder = journeys.toSorted((a, b) => Number(a.place!.offset) - Number(b.place!.offset))
      const records = inOrder.map(({ label, place, deadLetter }) =>
        deadLetter === null ? `${label} @${place!.offset}` : colors.red(`${label} @${place!.offset}`),
      )
      line('batch-consumer', `${batch} committed: ${records.join(', ')}`)
    }
  }

  return {
    tell(step, journey) {
      const sinceSent = (at: number | null) => `${Math.round((at ?? 0) - journey.sentAt)} ms`
      const what = () => `${padVisible(journey.label, 15)} ${padVisible(formatPlace(journey.place!), 15)}`
      switch (step) {
        case 'acknowledged':
        case 'seen': {
          // Told together, in the order in which they belong, whichever line came first.
          if (journey.acknowledgedAt === null || journey.seenAt === null) return
          const sender = journey.expected === 'processed' ? apiOf(journey.topic) : 'demo'
          line(
            sender,
            `${what()} acknowledged in ${sinceSent(journey.acknowledgedAt)}, seen by simple-consumer after ${sinceSent(journey.seenAt)}`,
          )
          return
        }
        case 'retried': {
          const { delayMs, reason } = journey.retries.at(-1)!
          line('batch-consumer', `${what()} ${colors.yellow(`retried after ${delayMs} ms: ${reason}`)}`)
          return
        }
        case 'dead-lettered': {
          const { category, reason } = journey.deadLetter!
          const place = formatPlace(journey.deadLetter!)
          line('batch-consumer', `${what()} ${colors.red(`dead-lettered to ${place}, ${category}:`)}`)
          line('', `${' '.repeat(what().length)} ${colors.dim(reason)}`)
          return
        }
        case 'processed':
          if (journey.retries.length > 0) {
            line('batch-consumer', `${what()} ${colors.green(`worked at attempt ${journey.attempts}`)}`)
          }
          return
        case 'committed':
          if (committed.length === 0) queueMicrotask(tellCommits)
          committed.push(journey)
      }
    },
  }
}
