import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { identifyProcess } from './process-identity.ts'
import { buildOnce } from './user-cache.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'user-cache-test-'))
  return () => rm(folder, { recursive: true, force: true })
})

/** Builds `<folder>/thing` in a process of its own; each build adds a line to `<folder>/builds`. */
function buildInOtherProcess(buildMs: number): ReturnType<typeof spawn> {
  const script = `
    import { buildOnce } from ${JSON.stringify(join(import.meta.dirname, 'user-cache.ts'))}
    import { appendFile, writeFile } from 'node:fs/promises'
    await buildOnce(${JSON.stringify(join(folder, 'thing'))}, async dir => {
      await writeFile(dir + '/part-1', '')
      await appendFile(${JSON.stringify(join(folder, 'builds'))}, 'built\\n')
      console.log('building')
      await new Promise(resolve => setTimeout(resolve, ${buildMs}))
      await writeFile(dir + '/part-2', '')
    })`
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

test('of several processes that need a thing at a time, one builds it and all get it whole', async () => {
  const processes = Array.from({ length: 4 }, () => buildInOtherProcess(200))
  const exits = await Promise.all(processes.map(child => once(child, 'exit')))
  expect(exits.map(([code]) => Number(code))).toEqual([0, 0, 0, 0])
  expect(await readFile(join(folder, 'builds'), 'utf8')).toBe('built\n')
  expect(await readdir(join(folder, 'thing'))).toEqual(['part-1', 'part-2'])
  expect((await readdir(folder)).toSorted()).toEqual(['builds', 'thing'])
})

test('a builder that is killed leaves nothing half-built, and the next one takes over', async () => {
  const killed = buildInOtherProcess(60_000)
  await once(killed.stdout!, 'data')
  killed.kill('SIGKILL')
  await once(killed, 'exit')
  expect(await readdir(folder)).not.toContain('thing')
  await buildOnce(join(folder, 'thing'), dir => writeFile(join(dir, 'whole'), ''))
  expect(await readdir(join(folder, 'thing'))).toEqual(['whole'])
  expect((await readdir(folder)).toSorted()).toEqual(['builds', 'thing'])
})

test('a lock whose owner lives is respected', async () => {
  await writeFile(join(folder, 'thing.lock'), JSON.stringify(await identifyProcess(process.pid)))
  let isBuilt = false
  const built = buildOnce(join(folder, 'thing'), async () => {
    isBuilt = true
  })
  await new Promise(resolve => setTimeout(resolve, 300))
  expect(isBuilt).toBe(false)
  await rm(join(folder, 'thing.lock'))
  await built
  expect(isBuilt).toBe(true)
})

test('a build that fails is not kept, and is tried again', async () => {
  const path = join(folder, 'thing')
  await expect(buildOnce(path, () => Promise.reject(new Error('no network')))).rejects.toThrow('no network')
  await buildOnce(path, async dir => {
    await mkdir(join(dir, 'content'))
  })
  expect(await readdir(path)).toEqual(['content'])
})
