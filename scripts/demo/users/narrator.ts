/** Tells what happens to the users while it happens: what was written, what came to the topic, what the replica has. */
import type { ComposeService } from '../../compose-file/compose-file.ts'
import { colorOf, colors, nameWidth, padVisible, print, visibleLength } from '../../terminal.ts'
import type { Arrival } from './change-ledger.ts'
import type { Pattern } from './patterns.ts'

// What comes within this time is one line.
const gatherMs = 150
const widestLine = 110

export type Narrator = {
  introduce(id: string, label: string): void
  written(who: 'registry' | 'demo', text: string): void
  arrived(partition: number, arrivals: Arrival[]): void
  replicaHas(id: string, version: number): void
  /** tells what is still gathered */
  flush(): void
}

export function createNarrator(services: ComposeService[], pattern: Pattern, table: string): Narrator {
  const names = services.map(service => service.name)
  const labels = new Map<string, string>()
  // What came and is not told yet: by partition of the topic, and in the replica.
  const onTopic = new Map<number, Arrival[]>()
  const inReplica: string[] = []
  const told = new Set<string>()
  let timer: NodeJS.Timeout | undefined

  const line = (service: string, text: string) =>
    print(`  ${colorOf(service, names)(padVisible(service, nameWidth))} ${text}`)

  function tell(service: string, place: string, items: string[]): void {
    for (const [index, text] of wrap(items, widestLine - nameWidth - place.length).entries()) {
      const where = index === 0 ? `${place} ←` : ' '.repeat(place.length + 2)
      line(index === 0 ? service : '', `${colors.dim(where)} ${text}`)
    }
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    for (const [partition, arrivals] of onTopic) {
      tell(pattern.reader, `${pattern.topic}/${partition}`, arrivals.flatMap(describe))
    }
    tell(pattern.sink, table, inReplica)
    onTopic.clear()
    inReplica.length = 0
  }

  /** One text, or none for a user of somebody else. Asked late, because a record can be faster than the answer that tells its id. */
  function describe(arrival: Arrival): string[] {
    const label = labels.get(arrival.id)
    if (label === undefined) return []
    if (arrival.is === 'tombstone') return [`${label} ${colors.yellow('tombstone')}`]
    if (arrival.is === 'unreadable') return [`${label} ${colors.red(`unreadable: ${arrival.reason}`)}`]
    const { version, deleted_at } = arrival.state
    return [`${label} ${version}${deleted_at === null ? '' : ` ${colors.yellow('deleted')}`}`]
  }

  return {
    introduce: (id, label) => labels.set(id, label),
    written: (who, text) => line(who === 'demo' ? 'demo' : pattern.registry, text),
    arrived(partition, arrivals) {
      onTopic.set(partition, [...(onTopic.get(partition) ?? []), ...arrivals])
      timer ??= setTimeout(flush, gatherMs)
    },
    replicaHas(id, version) {
      const text = `${labels.get(id)} ${version}`
      if (told.has(text)) return
      told.add(text)
      inReplica.push(text)
      timer ??= setTimeout(flush, gatherMs)
    },
    flush,
  }
}

/** Items, separated by commas, in lines of at most `width` characters; a longer item has a line of its own. */
export function wrap(items: string[], width: number): string[] {
  const lines: string[] = []
  for (const item of items) {
    const last = lines.at(-1)
    if (last === undefined || visibleLength(last) + visibleLength(item) + 3 > width) lines.push(item)
    else lines[lines.length - 1] = `${last}, ${item}`
  }
  return lines.map((line, index) => (index === lines.length - 1 ? line : `${line},`))
}
