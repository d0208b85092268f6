import { UserState } from '@kafka-pattern/events'
import {
  createDatabase,
  eventually,
  startService,
  type RunningService,
  type TestDatabase,
} from '@kafka-pattern/test-kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ada, ask, farLimits, holdUser, readOutbox, type Answer } from './test-client.ts'

type Env = Record<string, string>

const asDatetime = (iso: string | null) => iso?.replace('T', ' ').replace('Z', '')

async function startRegistry(env: Env = {}): Promise<{ service: RunningService; database: TestDatabase }> {
  const database = await createDatabase()
  const service = await startService('user-registry', {
    ...database.env('user-registry'),
    ...farLimits,
    ...env,
  })
  return { service, database }
}

describe.each(['table', 'outbox'])('WRITE_MODE=%s', mode => {
  let service: RunningService
  let database: TestDatabase
  beforeAll(async () => {
    ;({ service, database } = await startRegistry({ WRITE_MODE: mode }))
  })
  afterAll(async () => {
    await service.stop()
    await database.drop()
  })
  const create = (body: unknown = ada) => ask(service, 'POST', '/users', body)
  const put = (id: string, body: unknown, headers: Env = {}) =>
    ask(service, 'PUT', `/users/${id}`, body, headers)
  const rowOf = async (id: string) => (await database.root.rows('SELECT * FROM users WHERE id = ?', [id]))[0]

  const count = () => database.root.rows('SELECT COUNT(*) AS users, SUM(version) AS versions FROM users')

  test('a user is created, changed and deleted, from version to version, and what is answered is the row', async () => {
    const name = `Zoë 🚀 ' " \\ \u0000`
    const created = await create({ name, level: 0 })
    expect(created.status).toBe(201)
    const { id } = created.user
    expect(created.user).toMatchObject({ name, level: 0, version: 1, deleted_at: null })
    expect(created.user.updated_at).toBe(created.user.created_at)
    expect(created.headers.get('etag')).toBe('"1"')
    expect(created.headers.get('location')).toBe(`/users/${id}`)

    const renamed = await put(id, { name: 'Bea', version: 1 })
    expect([renamed.status, renamed.headers.get('etag')]).toEqual([200, '"2"'])
    const raised = await put(id, { level: 100 }, { 'if-match': '"2"' })
    expect([raised.status, raised.headers.get('etag')]).toEqual([200, '"3"'])
    const both = await put(id, { name: 'Cleo', level: 5 }, { 'if-match': '*' })
    expect(both.user).toEqual({
      ...created.user,
      name: 'Cleo',
      level: 5,
      version: 5,
      updated_at: both.user.updated_at,
    })
    const same = await put(id, { name: 'Cleo', level: 5, version: 5 })
    expect([same.status, same.text]).toEqual([200, both.text])
    expect((await ask(service, 'GET', `/users/${id}`)).text).toBe(both.text)

    const deleted = await ask(service, 'DELETE', `/users/${id}`, undefined, { 'if-match': '"5"' })
    expect(deleted.user).toMatchObject({ name: 'Cleo', version: 6, deleted_at: deleted.user.updated_at })
    const times = [created, renamed, raised, both, deleted].map(({ user }) => user.updated_at)
    expect(times).toEqual(times.toSorted())

    const { created_at, updated_at, deleted_at } = deleted.user
    expect(await rowOf(id)).toEqual({
      id,
      name: 'Cleo',
      level: 5,
      version: '6',
      created_at: asDatetime(created_at),
      updated_at: asDatetime(updated_at),
      deleted_at: asDatetime(deleted_at),
    })
    for (const gone of [
      await ask(service, 'GET', `/users/${id}`),
      await ask(service, 'DELETE', `/users/${id}`),
      await put(id, { level: 1, version: 6 }),
    ])
      expect([gone.status, gone.error]).toEqual([410, 'the user is deleted'])
  })

  test('a change from an old version is refused with 409, and changes nothing', async () => {
    const { user } = await create()
    await put(user.id, { level: 1, version: 1 })
    const before = await rowOf(user.id)
    const stale: Answer[] = [
      await put(user.id, { level: 2, version: 1 }),
      await put(user.id, { level: 2 }, { 'if-match': '"1"' }),
      await put(user.id, { level: 2, version: 3 }),
      await ask(service, 'DELETE', `/users/${user.id}`, undefined, { 'if-match': '"1"' }),
    ]
    for (const answer of stale) {
      expect([answer.status, answer.headers.get('etag')]).toEqual([409, '"2"'])
      expect(JSON.parse(answer.text)).toMatchObject({ version: 2 })
    }
    expect(await rowOf(user.id)).toEqual(before)
  })

  test('of 32 changes from the same version exactly one is made', async () => {
    const { user } = await create()
    const held = await holdUser(database, user.id)
    const changes = Array.from({ length: 32 }, (_, index) =>
      put(user.id, { name: `by ${index}`, version: 1 }),
    )
    await held.waitForWaiting(10)
    await held.release()
    const answers = await Promise.all(changes)
    const made = answers.filter(({ status }) => status === 200)
    expect(made).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(31)
    expect(await rowOf(user.id)).toMatchObject({ version: '2', name: made[0]?.user.name })
  })

  test('a request that is wrong gets 4xx with its fields named, and stores nothing', async () => {
    const { user } = await create()
    const before = await count()
    const at = `/users/${user.id}`
    type Wrong = [
      method: 'GET' | 'POST' | 'PUT' | 'DELETE',
      path: string,
      body: unknown,
      headers: Env,
      status: number,
      fields: string[] | null,
    ]
    const wrong: Wrong[] = [
      ['POST', '/users', '', {}, 400, ['body']],
      ['POST', '/users', '{"name":', {}, 400, ['body']],
      ['POST', '/users', [], {}, 400, ['body']],
      ['POST', '/users', {}, {}, 400, ['name', 'level']],
      ['POST', '/users', { name: '', level: 101 }, {}, 400, ['name', 'level']],
      ['POST', '/users', { name: 'x'.repeat(201), level: '1' }, {}, 400, ['name', 'level']],
      ['POST', '/users', '{"name":"\\ud83d","level":1}', {}, 400, ['name']],
      ['POST', '/users', { name: { toString: 'x' }, level: 1 }, {}, 400, ['name']],
      ['POST', '/users', { name: 'x'.repeat(1_000_000), level: 1 }, {}, 413, null],
      ['POST', '/users', ada, { 'content-type': 'text/plain' }, 415, null],
      ['PUT', at, { version: 1 }, {}, 400, ['body']],
      ['PUT', at, { level: -1, version: 0 }, {}, 400, ['level', 'version']],
      ['PUT', at, { level: 1 }, {}, 428, null],
      ['PUT', at, { level: 1, version: 2 }, { 'if-match': '"1"' }, 400, ['version']],
      ['PUT', at, { level: 1 }, { 'if-match': '1' }, 400, ['if-match']],
      ['PUT', at, { level: 1 }, { 'if-match': 'W/"1"' }, 400, ['if-match']],
      ['PUT', '/users/1', { level: 1, version: 1 }, {}, 400, ['id']],
      ['PUT', `/users/${'0'.repeat(8)}-0000-4000-8000-000000000000`, { level: 1, version: 1 }, {}, 404, null],
      ['DELETE', '/users/1', undefined, {}, 400, ['id']],
      ['DELETE', at, undefined, { 'if-match': '"0"' }, 400, ['if-match']],
      ['GET', "/users/' OR 1=1", undefined, {}, 400, ['id']],
      ['GET', '/users/00000000-0000-4000-8000-000000000000', undefined, {}, 404, null],
      ['GET', '/users?limit=0', undefined, {}, 400, ['limit']],
      ['GET', '/users?limit=1001&after=1', undefined, {}, 400, ['after', 'limit']],
      ['GET', '/nothing', undefined, {}, 404, null],
      ['GET', '/users/%zz', undefined, {}, 400, ['path']],
      ['GET', `/users/${'x'.repeat(200)}`, undefined, {}, 414, null],
    ]
    for (const [method, path, body, headers, status, fields] of wrong) {
      const answer = await ask(service, method, path, body, headers)
      const what = `${method} ${path} ${JSON.stringify(body)?.slice(0, 50)}`
      expect([what, answer.status, answer.fields]).toEqual([what, status, fields])
      expect([what, answer.headers.get('x-correlation-id')]).toEqual([what, expect.any(String)])
    }
    expect(await count()).toEqual(before)
  })

  test('the list goes page by page over all users, without those that are deleted', async () => {
    const created = await Promise.all(
      Array.from({ length: 7 }, (_, level) => create({ name: 'Page', level })),
    )
    const [gone] = created
    await ask(service, 'DELETE', `/users/${gone?.user.id}`)
    const listed: string[] = []
    let pages = 0
    let after: string | null = null
    do {
      const { text } = await ask(service, 'GET', `/users?limit=3${after === null ? '' : `&after=${after}`}`)
      const page: { users: { id: string; name: string }[]; next: string | null } = JSON.parse(text)
      listed.push(...page.users.map(({ id }) => id))
      after = page.next
      pages++
    } while (after !== null)
    expect(pages).toBeGreaterThan(2)
    const rows = await database.root.rows('SELECT id FROM users WHERE deleted_at IS NULL ORDER BY id')
    expect(listed).toEqual(rows.map(({ id }) => id))
    expect(listed).not.toContain(gone?.user.id)
  })

  test('ping, the OpenAPI page, and the correlation id in the answer and the log', async () => {
    const docs = await fetch(`${service.url}/docs`)
    expect([docs.status, docs.headers.get('content-type')]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ])
    expect(await (await fetch(`${service.url}/docs/json`)).json()).toMatchObject({
      paths: {
        '/ping': { get: {} },
        '/users': { post: {}, get: {} },
        '/users/{id}': { get: {}, put: {}, delete: {} },
      },
    })
    const { user, headers } = await ask(service, 'POST', '/users', ada, { 'x-correlation-id': 'order-17' })
    expect(headers.get('x-correlation-id')).toBe('order-17')
    expect(await service.waitForLog(({ correlationId }) => correlationId === 'order-17')).toMatchObject({
      msg: 'user stored',
      userId: user.id,
      version: 1,
      events: ['UserCreated'],
    })
  })
})

describe('the outbox', () => {
  test('has an event for each thing that changed, with the whole user and the correlation id, and none else', async () => {
    const { service, database } = await startRegistry({ WRITE_MODE: 'outbox' })
    const answers = [await ask(service, 'POST', '/users', ada, { 'x-correlation-id': 'c-1' })]
    const path = `/users/${answers[0]?.user.id}`
    const change = async (body: object) =>
      void answers.push(await ask(service, 'PUT', path, body, { 'if-match': '*' }))
    await change({ name: 'Bea' })
    await change({ level: 7 })
    await change({ level: 7 })
    await change({ name: 'Cleo', level: 8 })
    await ask(service, 'PUT', path, { level: 9, version: 1 })
    answers.push(await ask(service, 'DELETE', path))
    const [created, renamed, raised, , both, deleted] = answers.map(({ user }) => user)
    const events = await readOutbox(database)
    expect(events.map(({ type, state }) => [type, state])).toEqual([
      ['UserCreated', created],
      ['UserRenamed', renamed],
      ['UserLevelChanged', raised],
      ['UserRenamed', { ...both, level: 7, version: 4 }],
      ['UserLevelChanged', both],
      ['UserDeleted', deleted],
    ])
    expect(events[0]?.correlationId).toBe('c-1')
    expect(events[4]?.correlationId).toBe(events[3]?.correlationId)
    const ids = await database.root.rows('SELECT DISTINCT id, aggregatetype, aggregateid FROM outbox')
    expect(ids).toHaveLength(6)
    for (const row of ids) expect(row).toMatchObject({ aggregatetype: 'user', aggregateid: created?.id })
  })

  test('WRITE_MODE=table leaves it empty', async () => {
    const { service, database } = await startRegistry({ WRITE_MODE: 'table' })
    await ask(service, 'POST', '/users', ada)
    expect(await readOutbox(database)).toEqual([])
  })

  test('a change whose event cannot be stored is not stored either', async () => {
    const { service, database } = await startRegistry({ WRITE_MODE: 'outbox' })
    const { user } = await ask(service, 'POST', '/users', ada)
    await database.root.write("ALTER TABLE outbox ADD CONSTRAINT no_more CHECK (type <> 'UserLevelChanged')")
    // Renaming would be allowed; both are one transaction.
    const failed = await ask(service, 'PUT', `/users/${user.id}`, { name: 'Bea', level: 1, version: 1 })
    expect(failed.status).toBe(500)
    expect((await ask(service, 'GET', `/users/${user.id}`)).user).toEqual(user)
    expect(await readOutbox(database)).toHaveLength(1)
  })

  test('under concurrent writers holds the events of each user in the order of their commits, and shows no later one first', async () => {
    const { service: one, database } = await startRegistry({ WRITE_MODE: 'outbox' })
    const other = await startService('user-registry', {
      ...database.env('user-registry'),
      ...farLimits,
      WRITE_MODE: 'outbox',
    })
    const users = await Promise.all(Array.from({ length: 3 }, () => ask(one, 'POST', '/users', ada)))
    const changesEach = 20
    const leastLooks = 3
    let looks = 0
    let writing = true

    // As a relay would: it must never see version 5 of a user of whom it has not seen 4.
    const watcher = (async () => {
      const seen = new Map<string, number>()
      let lastSeq = '0'
      for (;;) {
        const last = !writing
        const rows = await database.root.rows<{ seq: string; payload: string }>(
          'SELECT seq, payload FROM outbox WHERE seq > ? ORDER BY seq',
          [Math.max(0, Number(lastSeq) - 200)],
        )
        for (const { payload } of rows) {
          const { id, version } = UserState.parse(JSON.parse(payload))
          const before = seen.get(id) ?? 0
          if (version > before + 1)
            throw new Error(`version ${version} of ${id} is visible before ${before + 1}`)
          seen.set(id, Math.max(before, version))
        }
        lastSeq = rows.at(-1)?.seq ?? lastSeq
        if (last) return
        looks++
      }
    })()

    const answers: Answer[] = []
    const write = () =>
      Promise.all(
        users.flatMap(({ user }) =>
          Array.from({ length: changesEach }, (_, index) =>
            ask(
              index % 2 === 0 ? one : other,
              'PUT',
              `/users/${user.id}`,
              { name: `${index}`, level: index },
              { 'if-match': '*' },
            ),
          ),
        ),
      )
    try {
      // Until the watcher has looked in between; one that has failed looks no more.
      for (let rounds = 0; rounds < 10; rounds++) {
        answers.push(...(await write()))
        if (looks >= leastLooks) break
      }
    } finally {
      writing = false
    }
    await watcher
    expect(looks).toBeGreaterThanOrEqual(leastLooks)
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))

    const events = await readOutbox(database)
    for (const { user } of users) {
      const states = events.map(({ state }) => state).filter(({ id }) => id === user.id)
      expect(states.map(({ version }) => version)).toEqual(states.map((_, index) => index + 1))
      const times = states.map(({ updated_at }) => updated_at)
      expect(times).toEqual(times.toSorted())
      expect((await ask(one, 'GET', `/users/${user.id}`)).user).toEqual(states.at(-1))
    }
  })

  test('killed under load: a user is stored exactly if its event is, and everything answered 201 is there', async () => {
    const { service, database } = await startRegistry({ WRITE_MODE: 'outbox' })
    const acknowledged: string[] = []
    const clients = Array.from({ length: 16 }, async () => {
      for (;;) {
        try {
          acknowledged.push((await ask(service, 'POST', '/users', ada)).user.id)
        } catch (error) {
          if (error instanceof TypeError) return
          throw error
        }
      }
    })
    await eventually(() => expect(acknowledged.length).toBeGreaterThan(100), { what: 'load' })
    await service.kill()
    await Promise.all(clients)
    // The server rolls back what the killed process left open.
    await eventually(
      async () => {
        const stored = (await database.root.rows<{ id: string }>('SELECT id FROM users')).map(({ id }) => id)
        const told = (await readOutbox(database)).map(({ state }) => state.id)
        expect(told.toSorted()).toEqual(stored.toSorted())
        expect(stored).toEqual(expect.arrayContaining(acknowledged))
      },
      { what: 'rows and events to be the same' },
    )
  })
})

test('stopping answers what was begun and exits 0', async () => {
  const { service, database } = await startRegistry()
  const { user } = await ask(service, 'POST', '/users', ada)
  const held = await holdUser(database, user.id)
  const waiting = ask(service, 'PUT', `/users/${user.id}`, { level: 1, version: 1 })
  await held.waitForWaiting(1)
  const stopped = service.stop()
  await service.waitForLog(({ msg }) => msg === 'draining')
  await held.release()
  expect((await waiting).user.level).toBe(1)
  expect(await stopped).toBe(0)
})
