import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { make, runtimeUnderTest } from './make.ts'

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
