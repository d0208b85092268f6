/**
 * Two registries take the same requests while Kafka goes away and comes back: one writes the row and then sends the event itself, the
 * other one writes the event beside the row, in one transaction, and outbox-relay publishes it.
 */
import type { Experiment } from '../scripts/prove/experiment.ts'
import { tell, until, type Program } from '../scripts/prove/lab.ts'
import { ledgerOf } from '../scripts/prove/ledger.ts'
import { UserError } from '../scripts/user-error.ts'

const createsAtATime = 10
const topic = 'outbox.event.user'

export const dualWrite: Experiment = {
  title: 'Row and event, while Kafka is away for a moment',
  prediction: `the dual write stores ${createsAtATime} users of whom nobody will ever hear, the outbox none; neither tells of a user who is not there`,
  predicted: {
    'dual write': { lost: createsAtATime, invented: 0 },
    outbox: { lost: 0, invented: 0 },
  },

  async run(lab) {
    const dual = await lab.start('user-registry', { WRITE_MODE: 'dual' })
    const ways: [string, Program][] = [
      ['dual write', dual],
      ['outbox', await lab.start('user-registry', { WRITE_MODE: 'outbox' })],
    ]
    await lab.start('outbox-relay', {})
    const published = await lab.follow(topic)
    const acknowledged: string[] = []
    const createAll = async (when: string) => {
      await Promise.all(
        ways.map(async ([way, registry]) => {
          const answers = await Promise.all(
            Array.from({ length: createsAtATime }, (_, i) => create(registry, `${way} ${i}`)),
          )
          for (const { id } of answers) if (id !== undefined) acknowledged.push(id)
          const statuses = new Set(answers.map(({ status }) => status))
          tell(way, `${createsAtATime} creates ${when}: ${[...statuses].join(', ')}`)
        }),
      )
    }
    await createAll('before the outage')
    await lab.killKafka()
    tell('kafka', 'killed (SIGKILL)')
    await createAll('without Kafka')
    await lab.startKafka()
    if (!(await until(() => dual.isReady()))) throw new UserError('The dual write does not find Kafka again.')
    await createAll('after the outage')

    const rows = await lab.mysql.rows<{ id: string; name: string }>('SELECT id, name FROM users')
    const users = (way: string) => rows.flatMap(({ id, name }) => (name.startsWith(way) ? id : []))
    // Of these both ways said that they are on their way; the dual write makes nobody wait for the others.
    await until(() => [...acknowledged, ...users('outbox')].every(id => published.has(id)))
    return ways.map(([way]) => {
      const arrived = [...published].flatMap(([id, name]) => (name.startsWith(way) ? id : []))
      return ledgerOf(way, users(way), arrived)
    })
  },
}

async function create({ url }: Program, name: string): Promise<{ status: number; id: string | undefined }> {
  const response = await fetch(`${url}/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, level: 1 }),
  })
  const body: unknown = await response.json()
  const created = response.ok && typeof body === 'object' && body !== null && 'id' in body
  return { status: response.status, id: created ? String(body.id) : undefined }
}
