import { UserState } from '@kafka-pattern/events'
import {
  createDatabase,
  eventually,
  readTopic,
  startOwnKafka,
  startService,
  type OwnKafka,
  type TestDatabase,
} from '@kafka-pattern/test-kit'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ada, ask, farLimits } from './test-client.ts'

/** What this mode is there to show: each test is a loss that WRITE_MODE=outbox does not have. */
describe('the dual write loses events', () => {
  let kafka: OwnKafka
  let database: TestDatabase
  beforeAll(async () => {
    kafka = await startOwnKafka()
    return () => kafka.stop()
  })
  beforeEach(async () => {
    database = await createDatabase()
  })
  const startRegistry = (env: Record<string, string> = farLimits) =>
    startService('user-registry', {
      ...database.env('user-registry'),
      WRITE_MODE: 'dual',
      KAFKA_BROKERS: kafka.brokers.join(','),
      ...env,
    })
  const versionsOnTopic = async (userId: string) => {
    const records = await readTopic('outbox.event.user', { on: kafka })
    const states = records.map(({ value }) => UserState.parse(JSON.parse(String(value))))
    return states.filter(({ id }) => id === userId).map(({ version }) => version)
  }
  const versionStored = async (userId: string) => {
    const [row] = await database.root.rows<{ version: string }>('SELECT version FROM users WHERE id = ?', [
      userId,
    ])
    return Number(row?.version)
  }

  test(
    'when Kafka is away: the row is changed, and nobody will hear of it',
    { timeout: 300_000 },
    async () => {
      // Kafka is given up after half of it, so that there is time enough for the answer to say so.
      const service = await startRegistry({ REQUEST_TIMEOUT_MS: '20000' })
      const { user } = await ask(service, 'POST', '/users', ada)
      const at = `/users/${user.id}`

      await kafka.nodes[0]?.kill()
      const during = await ask(service, 'PUT', at, { level: 1, version: 1 })
      expect([during.status, during.error]).toEqual([
        503,
        expect.stringMatching(/is stored.*nobody will hear/),
      ])
      // Trying again, as 503 suggests, does not help: the version is gone.
      expect((await ask(service, 'PUT', at, { level: 1, version: 1 })).status).toBe(409)

      await kafka.nodes[0]?.start()
      const after = await eventually(
        async () => {
          const version = await versionStored(user.id)
          return (await ask(service, 'PUT', at, { level: version + 1, version })).user
        },
        { what: 'Kafka to be used again' },
      )
      const published = await versionsOnTopic(user.id)
      expect(published).toContain(1)
      expect(published).toContain(after.version)
      expect(published).not.toContain(2)
    },
  )

  test('when the process dies between the two', async () => {
    const service = await startRegistry()
    const { user } = await ask(service, 'POST', '/users', ada)
    // So that it stays between the two long enough to be hit.
    await kafka.nodes[0]?.kill()
    const unanswered = ask(service, 'PUT', `/users/${user.id}`, { level: 1, version: 1 }).catch(() => null)
    await eventually(async () => expect(await versionStored(user.id)).toBe(2), {
      what: 'the row to be stored',
    })
    await service.kill()
    expect(await unanswered).toBeNull()

    await kafka.nodes[0]?.start()
    await startRegistry()
    expect(await versionStored(user.id)).toBe(2)
    expect(await versionsOnTopic(user.id)).toEqual([1])
  })
})
