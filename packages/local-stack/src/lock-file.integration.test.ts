import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { acquireLock } from './lock-file.ts'

let folder: string
let lockFile: string

beforeEach(async () => {
  const parent = await mkdtemp(join(tmpdir(), 'lock-file-test-'))
  folder = join(parent, 'at-work')
  lockFile = join(folder, 'lock')
  return () => rm(parent, { recursive: true, force: true })
})

/** Starts to wait; `waits` resolves when it does. */
function acquireLater(): { acquired: Promise<() => Promise<void>>; waits: Promise<void> } {
  const { promise: waits, resolve } = Promise.withResolvers<void>()
  return { acquired: acquireLock(lockFile, () => resolve()), waits }
}

test('the folder is made, and holds nothing when the lock was given back', async () => {
  const release = await acquireLock(lockFile)
  expect(await readdir(folder)).toEqual(['lock'])
  const { acquired, waits } = acquireLater()
  await waits
  await release()
  const releaseLater = await acquired
  expect(await readdir(folder)).toEqual(['lock'])
  await releaseLater()
  expect(await readdir(folder)).toEqual([])
})

test('whoever waits while the folder is removed gets the lock in a new one', async () => {
  await acquireLock(lockFile)
  const { acquired, waits } = acquireLater()
  await waits
  await rm(folder, { recursive: true })
  const release = await acquired
  expect(await readdir(folder)).toEqual(['lock'])
  await release()
})

test('what killed processes left is removed, and what belongs to living ones stays', async () => {
  const killed = spawn('true')
  await once(killed, 'exit')
  await mkdir(folder)
  const left = [`lock.${killed.pid}-1a`, `lock.stale-${killed.pid}-2b`]
  const kept = [`lock.${process.pid}-3c`, 'other', `other.${killed.pid}-4d`]
  for (const name of [...left, ...kept]) await writeFile(join(folder, name), '')
  const release = await acquireLock(lockFile)
  expect((await readdir(folder)).toSorted()).toEqual(['lock', ...kept])
  await release()
})

test.each(['', '\0\0\0\0', '{"pid":1,"st'])(
  'a lock that a power cut left as %j is taken over',
  async content => {
    await mkdir(folder)
    await writeFile(lockFile, content)
    const release = await acquireLock(lockFile)
    expect(await readdir(folder)).toEqual(['lock'])
    expect(await readFile(lockFile, 'utf8')).toContain(`"pid":${process.pid}`)
    await release()
  },
)
