import {
  createDatabase,
  eventually,
  startOwnMysql,
  startService,
  startTcpProxy,
  type OwnMysql,
  type RunningService,
  type TestDatabase,
} from '@kafka-pattern/test-kit'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ada, ask, farLimits, holdUser, readOutbox, type Answer } from './test-client.ts'

/** Above what a healthy answer takes on a busy machine, below what a person waits for a test. */
const requestTimeoutMs = 20_000
/** For the way of the answer itself, on a machine that runs a whole test suite. Without the limit it would come after 50 s and more. */
const slackMs = 20_000
const limits = { REQUEST_TIMEOUT_MS: String(requestTimeoutMs) }

describe('with a database server of its own', () => {
  let server: OwnMysql
  let database: TestDatabase
  beforeAll(async () => {
    server = await startOwnMysql()
    return () => server.stop()
  })
  beforeEach(async () => {
    database = await createDatabase({ on: server })
  })
  // A test that failed on the way must not fail the next ones.
  afterEach(async () => {
    if (await server.process.isRunning()) await server.process.thaw()
    else await server.process.start()
  })
  const startRegistry = (options: { waitReady?: boolean } = {}) =>
    startService('user-registry', { ...database.env('user-registry'), ...limits }, options)

  test('down at start: it waits, says for what, answers 503 at once, and serves when the database is there', async () => {
    await server.process.kill()
    const service = await startRegistry({ waitReady: false })
    await service.waitForLog(({ msg }) => msg === 'listening')
    const refused = await service.waitForLog(
      ({ msg, reason }) => msg === 'waiting for MySQL' && String(reason).includes('ECONNREFUSED'),
    )
    expect(refused.level).toBe(40)
    expect(await readiness(service)).toEqual([503, expect.stringContaining('"MySQL"')])
    const { answer, tookMs } = await timed(() => ask(service, 'POST', '/users', ada))
    expectUnavailable(answer, 'nothing was stored')
    expect(tookMs).toBeLessThan(requestTimeoutMs)

    await server.process.start()
    await service.waitForLog(({ msg }) => msg === 'ready')
    expect((await ask(service, 'POST', '/users', ada)).user).toMatchObject(ada)
    expect(await readOutbox(database)).toHaveLength(1)
    expect(await service.stop()).toBe(0)
  })

  test('stopped while it waits for the database, it exits 0', async () => {
    await server.process.kill()
    const service = await startRegistry({ waitReady: false })
    await service.waitForLog(({ msg }) => msg === 'waiting for MySQL')
    expect(await service.stop()).toBe(0)
  })

  test.each([
    ['killed', 'kill', 'start'],
    ['frozen', 'freeze', 'thaw'],
  ] as const)(
    '%s under load: 503 in time, never 2xx for what is not stored; then it goes on, with user and event always together',
    { timeout: 300_000 },
    async (_what, takeAway, bringBack) => {
      const service = await startRegistry()
      const acknowledged: string[] = []
      const refused: Answer[] = []
      let slowestMs = 0
      const end = new AbortController()
      const clients = Array.from({ length: 8 }, async () => {
        while (!end.signal.aborted) {
          const { answer, tookMs } = await timed(() => ask(service, 'POST', '/users', ada))
          slowestMs = Math.max(slowestMs, tookMs)
          if (answer.status === 201) acknowledged.push(answer.user.id)
          else refused.push(answer)
        }
      })
      const doneBefore = 50
      await eventually(() => expect(acknowledged.length).toBeGreaterThan(doneBefore), { what: 'load' })
      await server.process[takeAway]()
      await eventually(() => expect(refused.length).toBeGreaterThan(8), { what: 'requests to be refused' })
      await eventually(
        async () => expect(await readiness(service)).toEqual([503, expect.stringContaining('"MySQL"')]),
        {
          what: 'readiness to be withdrawn',
        },
      )
      await server.process[bringBack]()
      // Without anybody's doing.
      await eventually(async () => expect((await readiness(service))[0]).toBe(200), {
        what: 'readiness to come back',
      })
      const doneDuring = acknowledged.length
      await eventually(() => expect(acknowledged.length).toBeGreaterThan(doneDuring + 20), {
        what: 'load again',
      })
      end.abort()
      await Promise.all(clients)

      for (const answer of refused) expectUnavailable(answer, 'stored')
      expect(slowestMs).toBeLessThan(requestTimeoutMs + slackMs)
      // A frozen server may still commit what it was sent before; it is done when both are the same.
      await eventually(
        async () => {
          const stored = (await database.root.rows<{ id: string }>('SELECT id FROM users')).map(
            ({ id }) => id,
          )
          const told = (await readOutbox(database)).map(({ state }) => state.id)
          expect(told.toSorted()).toEqual(stored.toSorted())
          expect(acknowledged.filter(id => !stored.includes(id))).toEqual([])
        },
        { what: 'rows and events to be the same' },
      )
      expect(await service.stop()).toBe(0)
    },
  )

  test('read-only: 503 that says nothing was stored, not ready; then it goes on', async () => {
    const service = await startRegistry()
    const { user } = await ask(service, 'POST', '/users', ada)
    await database.root.write('SET GLOBAL read_only = 1')
    expectUnavailable(await ask(service, 'POST', '/users', ada), 'nothing was stored')
    expectUnavailable(
      await ask(service, 'PUT', `/users/${user.id}`, { level: 1, version: 1 }),
      'nothing was stored',
    )
    await eventually(async () => expect((await readiness(service))[0]).toBe(503), {
      what: 'readiness to be withdrawn',
    })
    expect((await ask(service, 'GET', `/users/${user.id}`)).user).toEqual(user)

    await database.root.write('SET GLOBAL read_only = 0')
    await service.waitForLog(({ msg }) => msg === 'MySQL is back')
    expect((await ask(service, 'PUT', `/users/${user.id}`, { level: 1, version: 1 })).user.version).toBe(2)
    expect(await readOutbox(database)).toHaveLength(2)
  })
})

describe('with a connection that is cut at the COMMIT', () => {
  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)(
    '%s the database has it: 503 that says it may be stored; user and event both are, or neither',
    async (moment, stored) => {
      const database = await createDatabase()
      const { host, port } = database.server
      const proxy = await startTcpProxy({ target: `${host}:${port}` })
      const service = await startService('user-registry', {
        ...database.env('user-registry'),
        ...farLimits,
        MYSQL_HOST: '127.0.0.1',
        MYSQL_PORT: String(proxy.port),
      })
      const cut = proxy.cutAt('COMMIT', moment)
      expectUnavailable(await ask(service, 'POST', '/users', ada), 'may have been stored')
      await cut
      await eventually(
        async () => {
          expect(await database.root.rows('SELECT id FROM users')).toHaveLength(stored)
          expect(await readOutbox(database)).toHaveLength(stored)
        },
        { what: 'the transaction to end' },
      )
      expect((await ask(service, 'POST', '/users', ada)).user).toMatchObject(ada)
    },
  )
})

describe('with others who hold a user', () => {
  test("a deadlock is not the caller's business: the change is made once", async () => {
    const database = await createDatabase()
    const service = await startService('user-registry', { ...database.env('user-registry'), ...farLimits })
    const { user } = await ask(service, 'POST', '/users', ada)
    await database.root.write('CREATE TABLE ballast (id INT AUTO_INCREMENT PRIMARY KEY, n INT)')

    const outboxHeld = Promise.withResolvers<void>()
    const rowHeld = Promise.withResolvers<void>()
    const crosswise = database.root.inTransaction(async transaction => {
      // The server rolls back whoever changed less: that must be the service.
      await transaction.write('INSERT INTO ballast (n) VALUES ?', [
        Array.from({ length: 100 }, (_, n) => [n]),
      ])
      await transaction.rows('SELECT seq FROM outbox FOR UPDATE')
      outboxHeld.resolve()
      await rowHeld.promise
      await transaction.write('UPDATE users SET level = level WHERE id = ?', [user.id])
    })
    await outboxHeld.promise
    const change = ask(service, 'PUT', `/users/${user.id}`, { level: 1, version: 1 })
    const inserting = `SELECT id FROM information_schema.processlist WHERE db = ? AND info LIKE 'INSERT INTO outbox%'`
    await eventually(
      async () => expect(await database.root.rows(inserting, [database.name])).toHaveLength(1),
      {
        what: 'the service to hold the user and wait for the outbox',
      },
    )
    rowHeld.resolve()
    await crosswise
    expect((await change).user).toMatchObject({ level: 1, version: 2 })
    expect((await readOutbox(database)).map(({ state }) => state.version)).toEqual([1, 2])
  })

  test('for long: 503 in time that says nothing was stored, and nothing is, ever', async () => {
    const database = await createDatabase()
    const service = await startService('user-registry', { ...database.env('user-registry'), ...limits })
    const { user } = await ask(service, 'POST', '/users', ada)
    const held = await holdUser(database, user.id)
    const { answer, tookMs } = await timed(() =>
      ask(service, 'PUT', `/users/${user.id}`, { level: 1, version: 1 }),
    )
    expectUnavailable(answer, 'nothing was stored')
    expect(tookMs).toBeLessThan(requestTimeoutMs + slackMs)
    // Others are not held up.
    expect((await ask(service, 'POST', '/users', ada)).user).toMatchObject(ada)
    await held.release()
    expect((await ask(service, 'GET', `/users/${user.id}`)).user).toEqual(user)
    expect((await ask(service, 'PUT', `/users/${user.id}`, { level: 1, version: 1 })).user.version).toBe(2)
  })
})

describe('one sentence and exit code 78 for', () => {
  test('a right that is missing', async () => {
    const database = await createDatabase()
    await database.root.write("REVOKE INSERT ON outbox FROM 'user_registry'@'%'")
    expect(await refusalOn(database)).toMatch(/INSERT.*denied.*outbox.*: grant it as infra\/mysql/)
    // Without an outbox it is not needed.
    await startService('user-registry', { ...database.env('user-registry'), WRITE_MODE: 'table' })
  })

  test('a schema of another version, or none', async () => {
    const database = await createDatabase()
    await database.root.write("UPDATE schema_versions SET version = 2 WHERE component = 'user-registry'")
    expect(await refusalOn(database)).toMatch(
      /schema version 2 of user-registry, but version 1 is needed: load/,
    )
    await database.root.write('DROP TABLE schema_versions')
    expect(await refusalOn(database)).toMatch(/no readable table schema_versions.*: load infra\/mysql/)
  })

  test('a password that is wrong', async () => {
    const database = await createDatabase()
    expect(await refusalOn(database, { MYSQL_PASSWORD: 'wrong' })).toMatch(/denied.*: check MYSQL_HOST/)
  })

  test('settings that are wrong, all named', async () => {
    const env = { WRITE_MODE: 'both', MYSQL_PORT: 'mysql' }
    const service = await startService('user-registry', env, { waitReady: false })
    expect(await service.waitForExit()).toBe(78)
    for (const key of Object.keys(env)) expect(service.stderrLines.join('\n')).toContain(key)
  })
})

async function refusalOn(database: TestDatabase, env: Record<string, string> = {}): Promise<string> {
  const settings = { ...database.env('user-registry'), ...env }
  const service = await startService('user-registry', settings, { waitReady: false })
  expect(await service.waitForExit()).toBe(78)
  const [sentence = '', ...more] = service.stderrLines.filter(line => line !== '')
  expect(more).toEqual([])
  return sentence
}

function expectUnavailable(answer: Answer, what: string): void {
  expect([answer.status, answer.error]).toEqual([503, expect.stringContaining(what)])
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
}

async function readiness({ probeUrl }: RunningService): Promise<[status: number, text: string]> {
  const response = await fetch(`${probeUrl}/readyz`)
  return [response.status, await response.text()]
}

async function timed<T>(work: () => Promise<T>): Promise<{ answer: T; tookMs: number }> {
  const startedAtMs = performance.now()
  const answer = await work()
  return { answer, tookMs: performance.now() - startedAtMs }
}
