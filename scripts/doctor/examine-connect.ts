/** Whether Kafka Connect answers and its connectors run. */
import { z } from 'zod'
import { fault, fine, note, type Finding } from './finding.ts'

const answerTimeoutMs = 5_000

const status = z.object({ state: z.string(), trace: z.string().optional() })

const connectors = z.record(
  z.string(),
  z.object({ status: z.object({ connector: status, tasks: z.array(status) }) }),
)

export type Connectors = z.output<typeof connectors>

export async function examineConnect(url: string): Promise<Finding[]> {
  try {
    const response = await fetch(`${url}/connectors?expand=status`, {
      signal: AbortSignal.timeout(answerTimeoutMs),
    })
    return judgeConnectors(connectors.parse(await response.json()))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return [fault(`does not answer: ${reason}`, '`make logs SERVICE=connect` tells what it does.')]
  }
}

export function judgeConnectors(found: Connectors): Finding[] {
  if (Object.keys(found).length === 0) return [note('answers, no connector is registered')]
  return Object.entries(found).map(
    ([
      name,
      {
        status: { connector, tasks },
      },
    ]) => {
      const broken = [connector, ...tasks].find(({ state }) => state === 'FAILED')
      const state = `connector ${name} is ${connector.state}, ${tasks.length} task(s)`
      if (broken === undefined) {
        const runs = tasks.length > 0 && [connector, ...tasks].every(each => each.state === 'RUNNING')
        if (runs) return fine(state)
        return fault(
          `${state}: it publishes nothing`,
          `\`make ${name}-debezium-up\` starts it anew, \`make ${name}-up\` puts a reader of ours in its place.`,
        )
      }
      const cause = broken.trace
        ?.trim()
        .split('\n')
        .findLast(line => line.startsWith('Caused by: '))
      return fault(
        `connector ${name} has failed: ${cause ?? broken.trace?.split('\n')[0] ?? 'it does not say why'}`,
        '`make logs SERVICE=connect` has it all; another start registers it anew.',
      )
    },
  )
}
