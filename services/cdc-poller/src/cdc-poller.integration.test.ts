import { setTimeout as delay } from 'node:timers/promises'
import { eventually, readTopic, startFaultProxy, startOwnMysql } from '@kafka-pattern/test-kit'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { lowMark, sampleAfter } from './low-mark.ts'
import { observeOpenWork } from './open-transactions.ts'
import { beginning, microsOf } from './position.ts'
import { allPublished, insertUsers, killAndFreeLease, newSetting, newUsers } from './test-changes.ts'
import type { Setting } from './test-changes.ts'
import type { OwnMysql, RunningService } from '@kafka-pattern/test-kit'

const linesOf = (service: RunningService, msg: string) => service.logLines.filter(line => line.msg === msg)

async function metricsOf(service: RunningService): Promise<Record<string, number>> {
  const text = await (await fetch(`${service.probeUrl}/metrics`)).text()
  const samples = text.matchAll(/^(\w+)(?:\{[^}]*\})? ([\d.e+-]+)$/gm)
  return Object.fromEntries(Array.from(samples, ([, name, value]) => [name, Number(value)]))
}

describe('what is published', () => {
  test('a row as it was created, changed and deleted: states in order, then a tombstone', async () => {
    const setting = await newSetting()
    const { root } = setting.database
    const id = crypto.randomUUID()
    const service = await setting.start()
    const published = (count: number) => readTopic(setting.topic, { count })

    await root.write('INSERT INTO users (id, name, level, version) VALUES (?, ?, 3, 1)', [id, 'Zoë 😀'])
    await published(1)
    await root.write('UPDATE users SET level = 4, version = 2 WHERE id = ?', [id])
    await published(2)
    await root.write('UPDATE users SET deleted_at = NOW(6), version = 3 WHERE id = ?', [id])
    const records = await published(4)

    const { states } = await setting.published()
    expect(states).toMatchObject([
      { id, name: 'Zoë 😀', level: 3, version: 1, deleted_at: null },
      { id, level: 4, version: 2, deleted_at: null },
      { id, version: 3, deleted_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/) },
    ])
    expect(records.map(({ key, value }) => [String(key), value === null])).toEqual([
      [id, false],
      [id, false],
      [id, false],
      [id, true],
    ])
    const headers = records.map(record =>
      Object.fromEntries(Object.entries(record.headers).map(([name, value]) => [name, String(value)])),
    )
    expect(headers.map(each => each['event-type'])).toEqual([
      'RowChanged',
      'RowChanged',
      'RowDeleted',
      'RowDeleted',
    ])
    expect(new Set(headers.map(each => each['id'])).size).toBe(4)
    const [row] = await root.rows('SELECT * FROM users')
    expect(states.at(-1)?.updated_at.replace('T', ' ')).toBe(`${String(row?.['updated_at'])}Z`)

    await eventually(
      async () => expect(await metricsOf(service)).toMatchObject({ cdc_working: 1, kafka_records_total: 4 }),
      { what: 'the metrics' },
    )
    const {
      cdc_cursor_age_seconds: age = NaN,
      cdc_rows_read_total: read = 0,
      cdc_rows_known_total: known = 0,
    } = await metricsOf(service)
    expect(age).toBeGreaterThan(0.9)
    expect(read - known).toBe(3)
    expect(await service.waitForLog(({ msg }) => msg === 'changes published')).toMatchObject({
      table: 'users',
      topic: setting.topic,
      records: 1,
      cursor: expect.anything(),
    })
  })

  test('any table by its settings: two key columns, TIMESTAMP, no deletes, many rows of one moment', async () => {
    const setting = await newSetting()
    const { root } = setting.database
    await root.write(`CREATE TABLE orders (shop INT NOT NULL, number BIGINT NOT NULL, paid DECIMAL(10, 2) NULL, revision INT NOT NULL,
      changed TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
      PRIMARY KEY (shop, number), KEY (changed))`)
    await root.write("GRANT SELECT ON orders TO 'cdc_poller'@'%'")
    const rows = Array.from({ length: 350 }, (_, n) => [n % 7, n, n === 0 ? null : '10.10', 1])
    await root.write('INSERT INTO orders (shop, number, paid, revision) VALUES ?', [rows])
    await setting.start({
      TABLE: 'orders',
      KEY_COLUMNS: 'shop,number',
      UPDATED_AT_COLUMN: 'changed',
      VERSION_COLUMN: 'revision',
      DELETED_AT_COLUMN: 'none',
      PAGE_ROWS: '20',
    })
    const records = await readTopic(setting.topic, { count: rows.length })
    expect(new Set(records.map(({ key }) => String(key)))).toEqual(
      new Set(rows.map(([shop, number]) => `["${shop}","${number}"]`)),
    )
    const value = (key: string): unknown =>
      JSON.parse(String(records.find(record => String(record.key) === key)?.value))
    expect(value('["5","5"]')).toEqual({
      shop: 5,
      number: 5,
      paid: '10.10',
      revision: 1,
      changed: expect.stringMatching(/\.\d{3}000Z$/),
    })
    expect(value('["0","0"]')).toMatchObject({ paid: null })
  })

  test('states that are overwritten between two polls are not seen: the last one is', async () => {
    const setting = await newSetting()
    const { root } = setting.database
    const [user = ['', '', 0, 0]] = newUsers(1)
    await root.write(insertUsers, [[user]])
    const service = await setting.start()
    await allPublished(setting)
    // However long a change takes, this is between two polls, but for one that is on its way.
    service.freeze()
    for (let version = 2; version <= 20; version++) {
      await root.write('UPDATE users SET version = ? WHERE id = ?', [version, user[0]])
    }
    service.thaw()
    const { states, turnedRound } = await allPublished(setting)
    expect(turnedRound).toEqual([])
    expect(new Set(states.map(({ version }) => version)).size).toBeLessThan(10)
  })
})

test('rows too large for Kafka are noted with the reason while the others flow, until they are smaller', async () => {
  const setting = await newSetting()
  const { root } = setting.database
  const parked = () =>
    root.rows('SELECT name, record_key AS `key`, version, reason FROM poller_parked ORDER BY version')
  await root.write('ALTER TABLE users ADD note MEDIUMTEXT NULL')
  const [large = ['', '', 0, 0], larger = ['', '', 0, 0], ...others] = newUsers(20)
  await root.write(insertUsers, [[large, larger, ...others]])
  await root.write("UPDATE users SET version = 2, note = REPEAT('x', 1024 * 1024) WHERE id = ?", [large[0]])
  // As JSON each of these characters is six: more than is sent at all.
  await root.write('UPDATE users SET version = 3, note = REPEAT(CHAR(1), 3 * 1024 * 1024) WHERE id = ?', [
    larger[0],
  ])

  const service = await setting.start()
  await eventually(
    async () => {
      expect([...(await setting.published()).last.keys()].toSorted()).toEqual(
        others.map(([id]) => id).toSorted(),
      )
      expect(await parked()).toEqual([
        {
          name: setting.topic,
          key: large[0],
          version: '2',
          reason: expect.stringMatching(/limit of the topic/),
        },
        {
          name: setting.topic,
          key: larger[0],
          version: '3',
          reason: expect.stringMatching(/limit of 16777216 bytes/),
        },
      ])
    },
    { what: 'the two to be noted, and the others published' },
  )
  // Each line comes after its note; when it has ended, its log is whole.
  await service.stop()
  expect(service.logLines.filter(({ msg }) => msg === 'row too large')).toMatchObject([
    { table: 'users', key: larger[0], version: '3' },
    { table: 'users', key: large[0], version: '2' },
  ])

  // Another poller knows of the notes, too, and deleted rows keep their order.
  const next = await setting.start()
  await root.write('UPDATE users SET version = 4, note = NULL WHERE id = ?', [larger[0]])
  await root.write('UPDATE users SET version = 5, deleted_at = NOW(6) WHERE id = ?', [large[0]])
  await eventually(
    async () => {
      const { last } = await setting.published()
      expect([last.get(larger[0]), last.get(large[0])]).toEqual([4, null])
      expect(await parked()).toEqual([])
    },
    { what: 'the smaller one to be published, of the deleted one the tombstone, and both notes to be gone' },
  )
  expect(next.exit).toBe(null)
})

test('a page of large rows ends where its bytes do, so that memory is bounded', async () => {
  const setting = await newSetting()
  const { root } = setting.database
  await root.write('ALTER TABLE users ADD note MEDIUMTEXT NULL')
  const users = newUsers(150)
  await root.write(insertUsers, [users])
  await root.write("UPDATE users SET note = REPEAT('x', 800000)")
  // Less than all of them take.
  const service = await setting.start({ NODE_OPTIONS: '--max-old-space-size=80' })
  expect((await allPublished(setting, 120_000)).last.size).toBe(users.length)
  expect(service.exit).toBe(null)
})

/** Nothing that is open anywhere on the server began before the rows of now: they are read once. */
async function behindTheLowMark({ database: { root } }: Setting): Promise<void> {
  await eventually(
    async () => {
      const [row] = await root.rows<{ newest: string }>('SELECT MAX(updated_at) AS newest FROM users')
      // The server shows nothing new to those who ask all the time.
      await delay(200 + Math.random() * 300)
      const look = await observeOpenWork(root)
      expect(look).not.toBeNull()
      // Four seconds: far behind the overlap too.
      const mark = lowMark(sampleAfter(null, look!, { overlapMs: 4_000, start: 0 }), 4_000)
      expect(mark).toBeGreaterThan(microsOf(String(row?.newest)))
    },
    { what: 'the rows to be behind the low mark', timeoutMs: 120_000 },
  )
}

describe('killed -9', () => {
  // Of its own: while anybody's prepared transaction (XA) is open, a poller that begins cannot move its cursor.
  let mysql: OwnMysql
  beforeAll(async () => {
    mysql = await startOwnMysql()
    return () => mysql.stop()
  })

  test(
    'at many points of a backlog and of new writes: nothing lost, nothing turned round, twice only what lay after the cursor',
    { timeout: 400_000 },
    async () => {
      const setting = await newSetting({ mysql })
      const { root } = setting.database
      const pageRows = 100
      const backlog = newUsers(8_000)
      for (let at = 0; at < backlog.length; at += 500)
        await root.write(insertUsers, [backlog.slice(at, at + 500)])
      // What is repeated of it is the last page alone.
      await behindTheLowMark(setting)
      // Through the test's own process, and slowed: there must be pages left for each of them, however late the kill comes.
      const proxy = await startFaultProxy({ target: setting.on.brokers[0]! })
      proxy.delay(20)
      const env = { PAGE_ROWS: String(pageRows), KAFKA_BROKERS: proxy.address }
      for (let kills = 1; kills <= 5; kills++) {
        const service = await setting.start(env, { waitReady: false })
        const pages = () => linesOf(service, 'changes published').length
        await service.waitForLog(() => pages() >= 4, { what: 'to publish some pages' })
        // At another point of a page each time.
        await delay(kills * 3)
        await killAndFreeLease(service, setting)
        const { duplicates } = await setting.published()
        expect(duplicates).toBeLessThanOrEqual(kills * pageRows)
      }

      const rest = await setting.start()
      await allPublished(setting)
      await killAndFreeLease(rest, setting)

      // The same among writes: here the overlap is repeated too.
      const written = new AbortController()
      onTestFinished(() => written.abort())
      const writer = (async () => {
        while (!written.signal.aborted) {
          const ids = backlog.slice(0, 50).map(([id]) => id)
          await root.write('UPDATE users SET version = version + 1 WHERE id IN (?)', [ids])
          await root.write(insertUsers, [newUsers(20)])
        }
      })()
      for (let n = 0; n < 3; n++) {
        const service = await setting.start(env, { waitReady: false })
        await service.waitForLog(line => line.msg === 'changes published', { what: 'to publish' })
        await delay(n * 23)
        await killAndFreeLease(service, setting)
      }
      written.abort()
      await writer
      await setting.start()
      expect((await allPublished(setting)).turnedRound).toEqual([])
    },
  )

  test(
    'between sending and the acknowledgement: the cursor has not moved, everything comes after the restart',
    { timeout: 400_000 },
    async () => {
      const setting = await newSetting({ mysql })
      const { root } = setting.database
      const proxy = await startFaultProxy({ target: setting.on.brokers[0]! })
      // It stands by until the test lets it: then nothing that it sends arrives.
      await root.write(
        "INSERT INTO poller_cursors (name, cursor_updated_at, cursor_key, owner, lease_until) VALUES (?, ?, '[]', 'the test', NOW(6) + INTERVAL 20 SECOND)",
        [setting.topic, beginning.updatedAt],
      )
      const holding = setInterval(() => {
        void root.write('UPDATE poller_cursors SET lease_until = NOW(6) + INTERVAL 20 SECOND')
      }, 500)
      onTestFinished(() => clearInterval(holding))
      const killed = await setting.start({ KAFKA_BROKERS: proxy.address, LEASE_MS: '20000' })
      await killed.waitForLog(line => line.msg === 'standing by: another poller works')
      await root.write(insertUsers, [newUsers(100)])
      await behindTheLowMark(setting)
      proxy.swallow()
      clearInterval(holding)
      await root.write('UPDATE poller_cursors SET owner = NULL')
      await killed.waitForLog(line => line.msg === 'Kafka does not take the changes, trying on', {
        what: 'to wait in vain for the acknowledgement',
      })
      await killAndFreeLease(killed, setting)
      expect(await root.rows('SELECT cursor_updated_at AS cursor_at FROM poller_cursors')).toEqual([
        { cursor_at: beginning.updatedAt },
      ])
      expect((await setting.published()).last.size).toBe(0)
      await setting.start()
      await allPublished(setting)
    },
  )

  test('SIGTERM: what was being published is finished, the cursor stands after it, the next one begins at once', async () => {
    const setting = await newSetting()
    await setting.database.root.write(insertUsers, [newUsers(1_000)])
    const service = await setting.start({ PAGE_ROWS: '100', LEASE_MS: '600000' })
    await service.waitForLog(line => line.msg === 'changes published')
    expect(await service.stop()).toBe(0)
    // A lease of ten minutes would have to run out otherwise.
    await setting.start({ LEASE_MS: '600000' })
    await allPublished(setting)
  })
})

describe('two pollers', () => {
  /** A lease that is not lost by a stall, and worth waiting for its end. */
  const env = { LEASE_MS: '30000' }

  /** Who is ready has not always taken the lease yet. */
  async function startWorking(setting: Setting, more: Record<string, string> = env): Promise<RunningService> {
    const service = await setting.start(more)
    await service.waitForLog(line => line.msg === 'working', { what: 'to work' })
    return service
  }

  test(
    'one works and the other stands by; when the first dies, the second goes on within the lease',
    { timeout: 300_000 },
    async () => {
      const setting = await newSetting()
      const { root } = setting.database
      const first = await startWorking(setting)
      const second = await setting.start(env)
      await second.waitForLog(line => line.msg === 'standing by: another poller works')
      await eventually(async () => expect((await fetch(`${second.probeUrl}/readyz`)).status).toBe(200), {
        what: 'the second to be ready',
      })
      await root.write(insertUsers, [newUsers(100)])
      await allPublished(setting)
      expect(await metricsOf(second)).toMatchObject({ cdc_working: 0, cdc_rows_read_total: 0 })

      await first.kill()
      await root.write(insertUsers, [newUsers(100)])
      await second.waitForLog(line => line.msg === 'working', { what: 'to take over' })
      await allPublished(setting)
    },
  )

  test(
    'under writes, one stops and later the other dies: nothing lost, nothing turned round, twice only what lay after the cursor',
    { timeout: 300_000 },
    async () => {
      const setting = await newSetting()
      const { root } = setting.database
      const users = newUsers(200)
      await root.write(insertUsers, [users])
      const writing = new AbortController()
      onTestFinished(() => writing.abort())
      const writer = (async () => {
        while (!writing.signal.aborted) {
          const ids = users.slice(0, 50).map(([id]) => id)
          await root.write('UPDATE users SET version = version + 1 WHERE id IN (?)', [ids])
          await root.write(insertUsers, [newUsers(20)])
        }
      })()

      const first = await startWorking(setting)
      const second = await setting.start(env)
      await second.waitForLog(line => line.msg === 'standing by: another poller works')
      await first.waitForLog(() => linesOf(first, 'changes published').length >= 10)
      // Held back until the cursor is known that it will begin from.
      second.freeze()
      expect(await first.stop()).toBe(0)
      const [stored] = await root.rows<{ at: string }>(
        "SELECT DATE_FORMAT(cursor_updated_at, '%Y-%m-%dT%H:%i:%s.%fZ') AS at FROM poller_cursors",
      )
      second.thaw()
      await second.waitForLog(() => linesOf(second, 'changes published').length >= 10)
      const third = await setting.start(env)
      await killAndFreeLease(second, setting)
      await third.waitForLog(() => linesOf(third, 'changes published').length >= 10)
      writing.abort()
      await writer

      const { states, turnedRound } = await allPublished(setting)
      expect(turnedRound).toEqual([])
      const seen = new Set<string>()
      const repeated = states.filter(({ id, version }) => {
        const state = `${id} ${version}`
        return seen.has(state) || !seen.add(state)
      })
      expect(repeated.filter(({ updated_at }) => updated_at < stored!.at)).toEqual([])
    },
  )

  test('of different LEASE_MS: the one with the shorter lease does not take the longer one of a living poller', async () => {
    const setting = await newSetting()
    const { root } = setting.database
    const working = await startWorking(setting, { LEASE_MS: '60000' })
    const other = await setting.start({ LEASE_MS: '1000' })
    await other.waitForLog(line => line.msg === 'standing by: another poller works' || line.msg === 'working')
    expect([linesOf(other, 'working'), linesOf(working, 'no longer working')]).toEqual([[], []])

    // Longer than any lease can be: the clock has stepped back, and nobody may wait for what it said.
    await working.kill()
    await root.write('UPDATE poller_cursors SET lease_until = NOW(6) + INTERVAL 1 HOUR')
    await other.waitForLog(line => line.msg === 'working', { what: 'to take over' })
  })

  test('SIGTERM to the one that stands by: it ends in order, long before the lease of the other', async () => {
    const setting = await newSetting()
    const longLease = { LEASE_MS: '600000' }
    await startWorking(setting, longLease)
    const second = await setting.start(longLease)
    await second.waitForLog(line => line.msg === 'standing by: another poller works')
    expect(await second.stop()).toBe(0)
  })

  test(
    'one that was frozen past its lease and wakes does not move the cursor, and publishes nothing new',
    { timeout: 300_000 },
    async () => {
      const setting = await newSetting()
      const { root } = setting.database
      const frozen = await setting.start(env)
      const users = newUsers(50)
      await root.write(insertUsers, [users])
      await allPublished(setting)
      frozen.freeze()
      await startWorking(setting)
      await root.write('UPDATE users SET version = 2, deleted_at = NOW(6)')
      await allPublished(setting)
      const cursorOf = async () => (await root.rows('SELECT cursor_updated_at, epoch FROM poller_cursors'))[0]
      const taken = await cursorOf()

      frozen.thaw()
      await frozen.waitForLog(line => line.msg === 'no longer working')
      await frozen.waitForLog(line => line.msg === 'standing by: another poller works')
      const now = await cursorOf()
      expect(now?.['epoch']).toBe(taken?.['epoch'])
      expect(String(now?.['cursor_updated_at']) >= String(taken?.['cursor_updated_at'])).toBe(true)
      const { turnedRound, last } = await setting.published()
      expect(turnedRound).toEqual([])
      expect(users.map(([id]) => last.get(id))).toEqual(users.map(() => null))
    },
  )
})

describe('what is not set up ends it at the start, with one sentence and exit code 78', () => {
  test.each<[string, string[], Record<string, string>, RegExp]>([
    [
      'no right to see open transactions',
      [
        "CREATE USER IF NOT EXISTS 'cdc_blind'@'%' IDENTIFIED BY 'cdc_blind'",
        "GRANT SELECT ON schema_versions TO 'cdc_blind'@'%'",
        "GRANT SELECT ON users TO 'cdc_blind'@'%'",
        "GRANT SELECT, INSERT, UPDATE ON poller_cursors TO 'cdc_blind'@'%'",
      ],
      { MYSQL_USER: 'cdc_blind', MYSQL_PASSWORD: 'cdc_blind' },
      /PROCESS/,
    ],
    [
      'another version of the schema',
      ["UPDATE schema_versions SET version = 7 WHERE component = 'cdc-poller'"],
      {},
      /schema version 7 of cdc-poller, but version 3/,
    ],
    ['no such table', [], { TABLE: 'nope' }, /the table nope cannot be read/],
    [
      'no such columns',
      [],
      { VERSION_COLUMN: 'revision', DELETED_AT_COLUMN: 'gone' },
      /has no column revision, gone/,
    ],
    [
      'a key of bytes',
      ['ALTER TABLE users MODIFY id BINARY(16) NOT NULL'],
      {},
      /id of users holds bytes.*KEY_COLUMNS/,
    ],
    [
      'a version of bytes',
      ['ALTER TABLE users MODIFY version BIT(8) NOT NULL'],
      {},
      /version of users holds bytes.*VERSION_COLUMN/,
    ],
    [
      'a column of which the driver gives neither text nor bytes',
      ['ALTER TABLE users ADD place POINT NULL'],
      {},
      /place \(point\) of users cannot be published/,
    ],
    ['a column that tells no time', [], { UPDATED_AT_COLUMN: 'level' }, /level of users is tinyint/],
    ['a time that may be missing', [], { UPDATED_AT_COLUMN: 'deleted_at' }, /may be NULL/],
    [
      'no index to walk along',
      ['ALTER TABLE users DROP KEY users_updated_at_id'],
      {},
      /no index on \(updated_at, id\)/,
    ],
    ['a wrong password', [], { MYSQL_PASSWORD: 'wrong' }, /MYSQL_PASSWORD/],
  ])('%s', async (_name, statements, env, sentence) => {
    const setting = await newSetting()
    for (const statement of statements) await setting.database.root.write(statement)
    const service = await setting.start(env, { waitReady: false })
    expect(await service.waitForExit()).toBe(78)
    expect(service.stderrLines).toEqual([expect.stringMatching(sentence)])
  })
})
