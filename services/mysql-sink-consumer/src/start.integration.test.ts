import { createDatabase, eventually, startOwnMysql } from '@kafka-pattern/test-kit'
import { describe, expect, test } from 'vitest'
import { setStage } from './test-users.ts'
import type { Stage } from './test-users.ts'

async function refusal(stage: Stage, env: Record<string, string> = {}): Promise<string> {
  const sink = await stage.start(env, { waitReady: false })
  expect(await sink.waitForExit()).toBe(78)
  expect(sink.stderrLines).toHaveLength(1)
  expect(sink.logLines.map(line => line.msg)).not.toContain('unexpected error')
  return sink.stderrLines[0] ?? ''
}

describe('what needs a person is said in one sentence, with exit code 78', () => {
  test('a database without the schema', async () => {
    const stage = await setStage()
    await stage.database.root.write('DROP TABLE schema_versions')
    expect(await refusal(stage)).toMatch(/schema_versions.*load infra\/mysql/)
  })

  test('a schema of another version', async () => {
    const stage = await setStage()
    await stage.database.root.write(
      "UPDATE schema_versions SET version = 1 WHERE component = 'mysql-sink-consumer'",
    )
    expect(await refusal(stage)).toMatch(/schema version 1 of mysql-sink-consumer, but version 2 is needed/)
  })

  test.each(['users_replica', 'consumer_offsets'])('no right to change %s', async table => {
    const stage = await setStage()
    const { root, name } = stage.database
    await root.write(`REVOKE UPDATE ON ${name}.${table} FROM 'mysql_sink_consumer'@'%'`)
    expect(await refusal(stage)).toMatch(new RegExp(`UPDATE command denied.*${table}.*grant it`))
  })

  test('a REPLICA_TABLE that does not exist', async () => {
    expect(await refusal(await setStage(), { REPLICA_TABLE: 'nowhere' })).toMatch(/nowhere/)
  })

  test('a server that does not take a statement as large as a batch may be', async () => {
    const server = await startOwnMysql()
    const stage = await setStage({ database: await createDatabase({ on: server }) })
    await stage.database.root.write('SET GLOBAL max_allowed_packet = 1048576')
    expect(await refusal(stage)).toMatch(
      /max_allowed_packet is 1048576, .* raise it, or set BATCH_SIZE to 1308/,
    )
    const sink = await stage.start({ BATCH_SIZE: '1308' })
    expect(await sink.stop()).toBe(0)
  })

  test('a wrong password', async () => {
    expect(await refusal(await setStage(), { MYSQL_PASSWORD: 'wrong' })).toMatch(
      /Access denied.*MYSQL_PASSWORD/,
    )
  })
})

test('bad settings: every bad key in one message, exit code 78', async () => {
  const stage = await setStage()
  const bad = { BATCH_SIZE: '0', DELIVERY: 'exactly-once', REPLICA_TABLE: 'a; DROP TABLE b' }
  const sink = await stage.start(bad, { waitReady: false })
  expect(await sink.waitForExit()).toBe(78)
  const said = sink.stderrLines.join('\n')
  for (const key of Object.keys(bad)) expect(said).toContain(key)
})

test('no database at start: it waits, says so, is not ready; ready as soon as it answers', async () => {
  const server = await startOwnMysql()
  const stage = await setStage({ database: await createDatabase({ on: server }) })
  await server.process.stop()
  const sink = await stage.start({}, { waitReady: false })
  await sink.waitForLog(line => line.msg === 'waiting for MySQL')
  await eventually(async () => expect((await fetch(`${sink.probeUrl}/readyz`)).status).toBe(503), {
    what: '/readyz to be 503',
  })
  await server.process.start()
  await sink.waitForLog(line => line.msg === 'ready')
})
