/** Three brokers, in the order in which a person may try them. The tests build on each other. */
import { ensureTopics } from '@kafka-pattern/kafka-config'
import { isPortFree } from '@kafka-pattern/local-stack'
import { connectTo } from '@kafka-pattern/test-kit'
import { beforeAll, describe, expect, test } from 'vitest'
import { containersOf, contentsOf, volumesOf } from './leftovers.ts'
import { newStack, type TestStack } from './make.ts'
import { contentDoctor, runningServices, startsOf } from './running.ts'

const brokers = ['kafka-1', 'kafka-2', 'kafka-3']

describe('three brokers', () => {
  let stack: TestStack
  beforeAll(async () => {
    stack = await newStack()
    return () => stack.remove()
  })

  test('make cluster-up: a broker is killed under load, and every acknowledged record is there', async () => {
    // Larger batches than a person watches: the group has thousands of records to go through.
    const { code, stdout, output } = await stack.make('cluster-up', 'BATCH_SIZE=100')
    expect(code, output).toBe(0)
    expect(stdout).toContain('✓ Every record arrived at every consumer that should see it.')
    const victim = /(kafka-\d) +killed \(SIGKILL\)/.exec(stdout)?.[1]
    expect(brokers).toContain(victim)
    expect(stdout).toMatch(/kafka-\d +leads user\/0 now, [\d.]+ s after the kill/)
    expect(stdout).toMatch(new RegExp(`${victim} +in sync with every leader of user again`))
    for (const phase of ['before', 'during', 'after']) {
      // acknowledged, p50, p99, longest
      expect(stdout).toMatch(new RegExp(`^ {2}${phase} the pause( +[1-9]\\d*){4}$`, 'm'))
    }
    expect(stdout).toMatch(/✓ each of the [1-9]\d+ acknowledged records can be read/)
    expect(stdout).toContain('✓ those of a key are in their order')
    expect(stdout).toContain('✓ batch-consumer has been through all of them')
    expect(stdout).toContain('✓ A broker died under load, and not one acknowledged record with it.')
  })

  test('make ps and make doctor know each of them', async () => {
    await runningServices(stack, [...brokers, 'user-api'])
    const stdout = await contentDoctor(stack)
    for (const [i, variable] of ['KAFKA_PORT', 'KAFKA_2_PORT', 'KAFKA_3_PORT'].entries()) {
      expect(stdout).toContain(`broker ${i + 1} advertises 127.0.0.1:${stack.ports[variable]}, which answers`)
    }
  })

  test('make up with one broker is refused, and nothing is touched', async () => {
    const before = await startsOf(stack)
    expect(Object.keys(before)).toEqual(expect.arrayContaining(brokers))
    const { code, stderr } = await stack.make('up')
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/^✗ The stack runs with three brokers.*`make down` first, or say BROKERS=3\.$/m)
    expect(await startsOf(stack)).toEqual(before)
  })

  test('BROKERS=3 make outbox-up: every change exactly once', async () => {
    const { code, stdout, output } = await stack.make('outbox-up', 'BROKERS=3')
    expect(code, output).toBe(0)
    expect(stdout).toContain('✓ no event came twice')
    expect(stdout).toContain('✓ outbox-relay and outbox-sink kept what they promise.')
  })

  test('BROKERS=3 make cdc-up: a replica that is equal', async () => {
    const { code, stdout, output } = await stack.make('cdc-up', 'BROKERS=3')
    expect(code, output).toBe(0)
    expect(stdout).toContain('✓ cdc-poller and cdc-sink kept what they promise.')
  })

  test.each([
    ['outbox-debezium-up', 'connect and outbox-sink'],
    ['cdc-debezium-up', 'connect and cdc-sink'],
  ])('BROKERS=3 make %s: every change', async (target, services) => {
    const { code, stdout, output } = await stack.make(target, 'BROKERS=3')
    expect(code, output).toBe(0)
    expect(stdout).toContain(`✓ ${services} kept what they promise.`)
  })

  test('every topic is kept three times, and what is written to it is acknowledged when two have it', async () => {
    const { kafka, logger } = connectTo(
      ['KAFKA_PORT', 'KAFKA_2_PORT', 'KAFKA_3_PORT'].map(variable => `127.0.0.1:${stack.ports[variable]}`),
    )
    const sizes = {
      user: 3,
      'outbox.event.user': 3,
      'outbox.cursor': 1,
      'cdc.users': 3,
      __consumer_offsets: 8,
      __transaction_state: 8,
    }
    const specs = Object.entries(sizes).map(([topic, partitions]) => ({
      topic,
      partitions,
      replicationFactor: 3,
      configs: { 'min.insync.replicas': '2' },
    }))
    expect(await ensureTopics(kafka, specs, { logger })).toMatchObject(
      specs.map(({ topic }) => ({ topic, outcome: 'exists as wanted', differences: [] })),
    )
  })

  test('make down stops all of them, make clean leaves nothing', async () => {
    const down = await stack.make('down')
    expect(down.code, down.output).toBe(0)
    for (const broker of brokers) expect(down.stdout).toContain(broker)
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
