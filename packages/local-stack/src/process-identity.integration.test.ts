import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import {
  identifyProcess,
  isAlive,
  signalProcess,
  waitForExit,
  waitUntilStopped,
  type ProcessIdentity,
} from './process-identity.ts'

let child: ChildProcess
let identity: ProcessIdentity

beforeEach(async () => {
  child = spawn('sleep', ['600'])
  await once(child, 'spawn')
  const identified = await identifyProcess(child.pid!)
  if (identified === null) throw new Error('a process that runs was not identified')
  identity = identified
})

afterEach(() => {
  child.kill('SIGKILL')
})

test('a process is signalled by its identity', async () => {
  expect(await signalProcess(identity, 'SIGTERM')).toBe(true)
  expect(await waitForExit(identity, 60_000)).toBe(true)
})

test('a process is the same to a command with another time zone, also where `ps` says when it started', async () => {
  // The `ps` of Linux is the same in this.
  const platform = Object.getOwnPropertyDescriptor(process, 'platform')!
  Object.defineProperty(process, 'platform', { ...platform, value: 'darwin' })
  onTestFinished(() => {
    Object.defineProperty(process, 'platform', platform)
    vi.unstubAllEnvs()
  })
  vi.stubEnv('TZ', 'America/New_York')
  const identified = await identifyProcess(identity.pid)
  vi.stubEnv('TZ', 'Asia/Tokyo')
  expect(await isAlive(identified!)).toBe(true)
})

test('a process that only has the same pid is not signalled', async () => {
  const earlier = { pid: identity.pid, startTime: `${identity.startTime}-earlier` }
  expect(await isAlive(earlier)).toBe(false)
  expect(await signalProcess(earlier, 'SIGKILL')).toBe(false)
  expect(await isAlive(identity)).toBe(true)
})

test('a process that has ended is neither alive nor signalled', async () => {
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await identifyProcess(identity.pid)).toBeNull()
  expect(await signalProcess(identity, 'SIGKILL')).toBe(false)
})

test('a process stands still only after SIGSTOP', async () => {
  expect(await waitUntilStopped(identity, 50)).toBe(false)
  await signalProcess(identity, 'SIGSTOP')
  expect(await waitUntilStopped(identity, 60_000)).toBe(true)
})

test('a zombie, ended but not yet noticed by its parent, counts as ended', async () => {
  // The shell starts a process, then becomes a program that never asks for its children's ends.
  const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'])
  try {
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(String(line))
    const started = await identifyProcess(pid)
    expect(started).not.toBeNull()
    expect(await signalProcess(started!, 'SIGKILL')).toBe(true)
    expect(await waitForExit(started!, 60_000)).toBe(true)
    expect(await identifyProcess(pid)).toBeNull()
    // It is still in the process table, or this test would show nothing.
    expect(() => process.kill(pid, 0)).not.toThrow()
  } finally {
    parent.kill('SIGKILL')
  }
})
