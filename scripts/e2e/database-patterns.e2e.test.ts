/** The database patterns, side by side in one stack, in an order in which a person may try them. The tests build on each other. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { isPortFree } from '@kafka-pattern/local-stack'
import { eventually } from '@kafka-pattern/test-kit'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { containersOf, contentsOf, volumesOf } from './leftovers.ts'
import type { LagReport } from '../lag/lag-report.ts'
import { newStack, type TestStack } from './make.ts'
import { contentDoctor, runningServices } from './running.ts'
import { holdingsOf } from './scale-table.ts'
import { whileFrozen } from './signal-service.ts'
import { whileFollowing } from './while-following.ts'

describe('change data capture and the outbox', () => {
  let stack: TestStack
  beforeAll(async () => {
    // It polls so seldom that four changes of a user are made meanwhile, also where each commit takes its time.
    stack = await newStack({ RELAY_LANES: '4', POLL_INTERVAL_MS: '2000' })
    return () => stack.remove()
  })

  test('make cdc-up: the newest state of every user, and a replica that is equal', async () => {
    const { code, stdout, output } = await stack.make('cdc-up')
    expect(code, output).toBe(0)
    const { committed, onTopic, neverSeen, inReplica } = countsOf(stdout)
    expect(committed).toBe(61)
    expect(onTopic + neverSeen).toBe(61)
    // Four changes of a user take less than the poller's interval.
    expect(neverSeen).toBeGreaterThan(0)
    expect(inReplica).toBe(61)
    expect(stdout).toContain('in the replica: its row is as of that change, or of one after it')
    expect(stdout).toMatch(/✓ the transaction that committed late was in the replica \d+ ms after its commit/)
    expect(stdout).toContain('✓ the transaction that was rolled back left no trace on cdc.users')
    expect(stdout).toContain('✓ each of the 4 deletes ends in a tombstone')
    expect(stdout).toContain('✓ all 21 rows are equal in users and users_replica_cdc, column by column')
    expect(stdout).toContain('✓ cdc-poller and cdc-sink kept what they promise.')
    expect(stdout, 'no escape sequences into a pipe').not.toContain('\u001B')
  })

  test('make outbox-up: every change exactly once', async () => {
    const { code, stdout, output } = await stack.make('outbox-up')
    expect(code, output).toBe(0)
    expect(countsOf(stdout)).toEqual({ committed: 61, onTopic: 61, neverSeen: 0, inReplica: 61 })
    expect(stdout).toContain('✓ each of the 61 changes is on outbox.event.user')
    expect(stdout).toContain('✓ no event came twice')
    expect(stdout).toContain('✓ all 21 rows are equal in users and users_replica_outbox, column by column')
    expect(stdout).toContain('✓ outbox-relay and outbox-sink kept what they promise.')
  })

  test('both run side by side, and make doctor finds nothing wrong', async () => {
    await runningServices(stack, ['kafka', 'mysql', 'cdc-poller', 'cdc-sink', 'outbox-relay', 'outbox-sink'])
    const stdout = await contentDoctor(stack)
    expect(stdout).toContain(`MySQL at 127.0.0.1:${stack.ports.MYSQL_PORT}`)
    expect(stdout).toContain('its binary log holds whole rows')
    expect(stdout).toContain('kafka_pattern has the tables of cdc-poller')
  })

  test('make lag: nobody is behind, and everybody is there', async () => {
    await eventually(
      async () => {
        const { code, stdout, output } = await stack.make('lag', 'JSON=1')
        expect(code, output).toBe(0)
        const report: LagReport = JSON.parse(stdout)
        const none = { lag: 0 }
        expect(report.groups).toMatchObject([
          { group: 'cdc-sink', ...none },
          { group: 'outbox-sink', ...none },
        ])
        expect(report.sinks).toMatchObject([
          { group: 'cdc-sink', ...none },
          { group: 'outbox-sink', ...none },
        ])
        expect(report.relay).toMatchObject({
          parked: 0,
          lanes: [0, 1, 2, 3].map(lane => ({ lane, unpublished: 0 })),
        })
        const published = report.relay!.lanes.map(({ publishedUpTo }) => publishedUpTo ?? 0)
        expect(Math.max(...published)).toBe(report.relay?.newestSeq)
        expect(report.pollers).toMatchObject([{ topic: 'cdc.users' }])
        for (const { owner } of [...report.relay!.lanes, ...report.pollers!]) expect(owner).not.toBeNull()
      },
      { what: 'everything to be applied and committed' },
    )
    const { stdout } = await stack.make('lag')
    for (const title of ['Consumer groups', 'in the database', 'Outbox', 'Pollers'])
      expect(stdout).toContain(title)
  })

  test('make scale: a second poller stands by', async () => {
    const { code, stdout, output } = await stack.make('scale', 'SERVICE=cdc-poller', 'N=2')
    expect(code, output).toBe(0)
    const holdings = holdingsOf(stdout)
    expect(Object.keys(holdings).toSorted()).toEqual(['cdc-poller', 'cdc-poller-2'])
    // Whose lease runs out while it is stalled stands by for the other.
    expect(Object.values(holdings).toSorted()).toEqual(['stands by', 'the cursor of cdc.users'])
    const back = await stack.make('scale', 'SERVICE=cdc-poller', 'N=1')
    expect(back.code, back.output).toBe(0)
  })

  test('make scale: three relays share the lanes, four sinks the partitions, and the ledger is whole', async () => {
    const relays = await stack.make('scale', 'SERVICE=outbox-relay', 'N=3')
    expect(relays.code, relays.output).toBe(0)
    expect(relays.stdout).toContain('outbox-relay: 1 → 3 instances, which share 4 lanes')
    const lanes = Object.values(holdingsOf(relays.stdout)).map(held => held.replace('lane ', '').split(','))
    expect(lanes.map(({ length }) => length).toSorted((a, b) => a - b)).toEqual([1, 1, 2])
    expect(lanes.flat().toSorted((a, b) => Number(a) - Number(b))).toEqual(['0', '1', '2', '3'])

    const sinks = await stack.make('scale', 'SERVICE=outbox-sink', 'N=4')
    expect(sinks.code, sinks.output).toBe(0)
    expect(sinks.stdout).toContain('There are 3 partitions: 1 of the 4 instances will idle.')
    const partitions = Object.values(holdingsOf(sinks.stdout)).toSorted((a, b) => a.localeCompare(b))
    expect(partitions).toEqual(['idles', ...[0, 1, 2].map(partition => `outbox.event.user/${partition}`)])

    const { code, stdout, output } = await stack.make('outbox-up')
    expect(code, output).toBe(0)
    expect(countsOf(stdout)).toEqual({ committed: 61, onTopic: 61, neverSeen: 0, inReplica: 61 })
    expect(stdout).toContain('✓ no event came twice')

    const oneSink = await stack.make('scale', 'SERVICE=outbox-sink', 'N=1')
    expect(oneSink.code, oneSink.output).toBe(0)
    expect(holdingsOf(oneSink.stdout)).toEqual({ 'outbox-sink': 'outbox.event.user/0,1,2' })
    const oneRelay = await stack.make('scale', 'SERVICE=outbox-relay', 'N=1')
    expect(oneRelay.code, oneRelay.output).toBe(0)
    for (const relay of ['outbox-relay-2', 'outbox-relay-3'])
      expect(oneRelay.stdout).toMatch(new RegExp(`${relay} +told to leave, and has left$`, 'm'))
    expect(holdingsOf(oneRelay.stdout)).toEqual({ 'outbox-relay': 'lane 0,1,2,3' })
  })

  test('make watch follows a user to both replicas', async () => {
    await whileFollowing(stack, ['watch', 'STEPS=1'], async steps => {
      await whileFollowing(stack, ['watch'], async trips => {
        await eventually(() => expect([steps(), trips()].join()).toMatch(/Watching.*Watching/s), {
          what: 'make watch to begin',
        })
        // Sent again until seen: the first may come before the logs are followed.
        await eventually(
          async () => {
            await createUser(stack.ports.OUTBOX_REGISTRY_PORT!)
            expect(trips()).toMatch(
              /[0-9a-f]{8}… outbox-registry POST \/users → row, outbox \+\d+ ms → outbox\.event\.user\/\d@\d+ \+\d+ ms → outbox-sink \+\d+ ms; → cdc\.users\/\d@\d+ \+\d+ ms → cdc-sink \+\d+ ms$/m,
            )
            expect(steps()).toMatch(/outbox-registry +user \S+ version 1 stored: UserCreated/)
            expect(steps()).toMatch(/outbox-relay +\d+ events? published/)
            expect(steps()).toMatch(
              /outbox-sink +outbox\.event\.user\/\d@[\d-]+ \d+ records? applied: \d+ upserted/,
            )
            expect(steps()).toMatch(/cdc-poller +cdc\.users \d+ changes? published/)
            expect(steps()).toMatch(/cdc-sink +cdc\.users\/\d@[\d-]+ \d+ records? applied: \d+ upserted/)
          },
          { what: 'the trip of a user in make watch' },
        )
      })
    })
  })

  test('make sql: a statement of its own, a mistake, a database that hangs, and what is typed on a terminal', async () => {
    const typed = await stack.make('sql', 'QUERY=SELECT COUNT(*) AS users_in_all FROM users')
    expect(typed.code, typed.output).toBe(0)
    expect(typed.stdout).toMatch(/^\| users_in_all \|$.*^\| +[1-9]\d+ \|$/ms)
    // As make must not take it for one of its variables.
    const path = await stack.make('sql', "QUERY=SELECT '$.id' AS path")
    expect(path.stdout).toContain('| $.id |')
    const mistaken = await stack.make('sql', 'QUERY=SELECT nonsense')
    expect(mistaken.code).not.toBe(0)
    expect(mistaken.output).toContain("Unknown column 'nonsense'")

    const expectNoAnswer = async () => {
      const { code, output } = await stack.make('sql', 'QUERY=SELECT 1')
      expect(code).not.toBe(0)
      expect(output).toContain(
        '✗ The database runs, but gives no answer: `make doctor` says what can be done.',
      )
    }
    // A container is unhealthy for a while after a pause, and the tests after this one start what needs it.
    if (stack.kind === 'local') await whileFrozen(stack, 'mysql', expectNoAnswer)

    const child = stack.startOnTerminal('sql')
    onTestFinished(() => void child.kill())
    let shown = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text
    })
    const closed = once(child, 'close')
    child.stdin.write('SHOW TABLES;\n')
    await eventually(() => expect(shown).toMatch(/rows in set/), { what: 'the tables' })
    for (const table of ['users', 'outbox', 'poller_cursors', 'relay_leases', 'consumer_offsets'])
      expect(shown).toMatch(new RegExp(`^\\| ${table} +\\|`, 'm'))
    child.stdin.write('exit\n')
    await closed
    expect(child.exitCode).toBe(0)
  })

  // Leaves a poller behind that stands by: no test after this one may wait for cdc-poller.
  test('a promise that is not kept in time is named, and the exit code is not 0', async () => {
    const taken = await stack.make(
      'sql',
      "QUERY=UPDATE poller_cursors SET owner = 'nobody', epoch = epoch + 1, lease_until = UTC_TIMESTAMP() + INTERVAL 9 MINUTE",
    )
    expect(taken.code, taken.output).toBe(0)
    const { code, stdout, output } = await stack.make('cdc-up')
    expect(code, output).not.toBe(0)
    expect(stdout).toMatch(/✗ newest states that are not on cdc\.users: .*Hedy version 1/)
    expect(stdout).toContain(
      '✗ the transaction that committed late never reached the replica: Hedy version 1',
    )
    expect(stdout).toMatch(/✗ users and users_replica_cdc differ: .* is missing/)
    expect(stdout).not.toContain('kept what they promise')
  })

  test('make outbox-debezium-up: Debezium in the place of outbox-relay, which is stopped', async () => {
    const scaled = await stack.make('scale', 'SERVICE=outbox-relay', 'N=2')
    expect(scaled.code, scaled.output).toBe(0)
    const { code, stdout, output } = await stack.make('outbox-debezium-up')
    expect(code, output).toBe(0)
    for (const relay of ['outbox-relay', 'outbox-relay-2']) {
      expect(stdout).toMatch(new RegExp(`${relay} +stopped: Debezium takes its place`))
    }
    expect(countsOf(stdout)).toEqual({ committed: 61, onTopic: 61, neverSeen: 0, inReplica: 61 })
    expect(stdout).toContain('✓ connect and outbox-sink kept what they promise.')
  })

  test('make cdc-debezium-up: every state, where the poller sees the newest', async () => {
    const { code, stdout, output } = await stack.make('cdc-debezium-up')
    expect(code, output).toBe(0)
    expect(countsOf(stdout)).toEqual({ committed: 61, onTopic: 61, neverSeen: 0, inReplica: 61 })
    expect(stdout).toContain('✓ connect and cdc-sink kept what they promise.')
    const running = await runningServices(stack, ['connect'])
    expect(running).not.toContain('cdc-poller')
    expect(running).not.toContain('outbox-relay')
    expect((await stack.make('doctor')).stdout).toMatch(
      /connector cdc is RUNNING[^]*connector outbox is RUNNING/,
    )
  })

  test('and back: make outbox-up removes the connector, and nothing comes twice', async () => {
    const { code, stdout, output } = await stack.make('outbox-up')
    expect(code, output).toBe(0)
    expect(stdout).toContain('connector outbox removed: outbox-relay takes its place')
    expect(countsOf(stdout)).toEqual({ committed: 61, onTopic: 61, neverSeen: 0, inReplica: 61 })
    expect(stdout).toContain('✓ no event came twice')
  })

  test('make up runs beside them', async () => {
    const { code, stdout, output } = await stack.make('up')
    expect(code, output).toBe(0)
    expect(stdout).toContain('Every record arrived at every consumer that should see it.')
    await runningServices(stack, ['batch-consumer', 'outbox-relay'])
  })

  test('make down stops all of it, make clean leaves nothing', async () => {
    const down = await stack.make('down')
    expect(down.code, down.output).toBe(0)
    for (const [variable, port] of Object.entries(stack.ports)) {
      expect(await isPortFree(port), `${variable} ${port}`).toBe(true)
    }
    expect(await containersOf(stack)).toBe('')
    const clean = await stack.make('clean')
    expect(clean.code, clean.output).toBe(0)
    expect(await contentsOf(stack.stateDir)).toEqual([])
    expect(await volumesOf(stack)).toBe('')
  })
})

type Counts = { committed: number; onTopic: number; neverSeen: number; inReplica: number }

/** Of the row "all" of the summary table. */
function countsOf(output: string): Counts {
  const line = output.split('\n').find(text => /^ {2}all +\d/.test(text))
  const [committed = 0, onTopic = 0, neverSeen = 0, inReplica = 0] =
    line?.trim().split(/\s+/).slice(1).map(Number) ?? []
  return { committed, onTopic, neverSeen, inReplica }
}

async function createUser(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-correlation-id': randomUUID() },
    body: JSON.stringify({ name: 'Watched', level: 7 }),
  })
  expect(response.status).toBe(201)
}
