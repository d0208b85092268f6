import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import { make, runtimeUnderTest, startMake } from './make.ts'

test('make prove: the naive cursor and the dual write lose what was predicted, and nothing is left behind', async () => {
  const TMPDIR = await mkdtemp(join(tmpdir(), 'kafka-pattern-e2e-'))
  onTestFinished(() => rm(TMPDIR, { recursive: true, force: true }))
  const { code, stdout, output } = await make(['prove'], { RUNTIME: await runtimeUnderTest(), TMPDIR })
  expect(code, output).toBe(0)
  const ledgers = [...stdout.matchAll(/^ {2}(.+?) +(\d+) +(\d+) +(\d+) +(\d+)$/gm)]
  // changes, seen, lost, invented
  expect(ledgers.map(([, way, ...counts]) => [way, ...counts.map(Number)])).toEqual([
    ['naive cursor', 21, 16, 5, 0],
    ['cdc-poller', 21, 21, 0, 0],
    ['dual write', 30, 20, 10, 0],
    ['outbox', 30, 30, 0, 0],
  ])
  expect(stdout).toContain('✓ Every prediction came true.')
  expect((await readdir(TMPDIR)).filter(name => name.startsWith('kafka-pattern-prove'))).toEqual([])
})

test('make prove: Ctrl-C while its servers start, pressed twice, leaves no process and no folder', async () => {
  const TMPDIR = await mkdtemp(join(tmpdir(), 'kafka-pattern-e2e-'))
  onTestFinished(() => rm(TMPDIR, { recursive: true, force: true }))
  const marked = async () => {
    // e: with the environment.
    const { stdout } = await promisify(execFile)('ps', ['axeww', '-o', 'pid=,command='])
    return stdout.split('\n').filter(line => line.includes(TMPDIR))
  }
  onTestFinished(async () => {
    for (const line of await marked()) process.kill(Number.parseInt(line), 'SIGKILL')
  })
  const child = startMake(['prove'], {
    RUNTIME: await runtimeUnderTest(),
    TMPDIR,
    // A mark on whatever is started: it is in the environment of each.
    PATH: `${process.env.PATH}:${TMPDIR}`,
  })
  const closed = once(child, 'close')
  let output = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  for (const sentence of ['Kafka and a database as', 'ending and removing']) {
    await eventually(() => expect(output).toContain(sentence), { what: sentence })
    // It alone: the tools that prepare the database end of Ctrl-C, too, unless they have done their work by then.
    const command = (await marked()).find(line => line.includes('scripts/prove.ts'))
    expect(command, output).toBeDefined()
    process.kill(Number.parseInt(command!), 'SIGINT')
  }
  await closed
  expect(await marked()).toEqual([])
  expect((await readdir(TMPDIR)).filter(name => name.startsWith('kafka-pattern-prove'))).toEqual([])
})
