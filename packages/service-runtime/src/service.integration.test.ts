/** The life of a real process: what signals, probes and exit codes promise to an orchestrator. No broker takes part. */
import { eventually } from '@kafka-pattern/test-kit'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'

const script = join(import.meta.dirname, 'service-under-test.ts')

interface Line {
  msg: string
  level: number
  [field: string]: unknown
}

async function startProcess(env: Record<string, string> = {}, cwd = import.meta.dirname) {
  const child = spawn(process.execPath, [script], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const exit = once(child, 'close').then(([code, signal]: (number | string | null)[]) => code ?? signal)

  const lines = (): Line[] =>
    stdout
      .split('\n')
      .filter(line => line.startsWith('{') && line.endsWith('}'))
      .map((line): Line => JSON.parse(line))
  const messages = (): string[] => lines().map(line => line.msg)
  const line = (msg: string): Promise<Line> =>
    eventually(
      () => {
        const found = lines().find(each => each.msg === msg)
        if (found === undefined) throw new Error(`"${msg}" is not among:\n${stdout}${stderr}`)
        return found
      },
      { what: `the line "${msg}"` },
    )
  const probe = async (path: string): Promise<{ status: number; text: string }> => {
    const { port } = await line('probes listening')
    const response = await fetch(`http://127.0.0.1:${String(port)}${path}`)
    return { status: response.status, text: await response.text() }
  }
  return {
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    exit,
    line,
    lines,
    messages,
    probe,
    stderr: () => stderr,
  }
}

describe('start', () => {
  test('is over when its work is done and every check is true', async () => {
    const service = await startProcess({ READY: 'at SIGHUP' })
    await service.line('run is over')
    service.signal('SIGHUP')
    await service.line('ready')
    expect(service.messages()).toEqual(['probes listening', 'run is over', 'ready'])
  })

  test('/readyz is 503 and names what is waited for, then 200', async () => {
    const service = await startProcess({ READY: 'at SIGHUP' })
    await service.line('run is over')
    const before = await service.probe('/readyz')
    expect(before.status).toBe(503)
    expect(JSON.parse(before.text)).toEqual({
      ready: false,
      waitingFor: ['the broker'],
    })
    service.signal('SIGHUP')
    await service.line('ready')
    const after = await service.probe('/readyz')
    expect(after).toEqual({ status: 200, text: '{"ready":true,"waitingFor":[]}\n' })
  })

  test('that is not over is itself what /readyz waits for, and /healthz is 200 all the same', async () => {
    const service = await startProcess({ START: 'waits for a broker' })
    expect(await service.probe('/readyz')).toEqual({
      status: 503,
      text: '{"ready":false,"waitingFor":["start"]}\n',
    })
    expect((await service.probe('/healthz')).status).toBe(200)
  })

  test('that fails is logged with its cause, closes what was opened and exits 1', async () => {
    const service = await startProcess({ START: 'fails' })
    expect(await service.exit).toBe(1)
    const error = await service.line('unexpected error')
    expect(error).toMatchObject({ level: 50, err: { message: 'start failed: the reason' } })
    expect(service.messages().slice(-4)).toEqual([
      'the second is closing',
      'the second is closed',
      'the first is closed',
      'stopped',
    ])
  })
})

test('/metrics is what Prometheus reads, and other paths are told what there is', async () => {
  const service = await startProcess()
  const metrics = await service.probe('/metrics')
  expect(metrics.status).toBe(200)
  expect(metrics.text).toContain('# TYPE kafka_records_total counter')
  expect((await service.probe('/')).status).toBe(404)
})

describe('a signal', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s closes everything, last opened first, and exits 0',
    async signal => {
      const service = await startProcess()
      await service.line('ready')
      service.signal(signal)
      expect(await service.exit).toBe(0)
      expect(service.messages().slice(3)).toEqual([
        'draining',
        'the second is closing',
        'the second is closed',
        'the first is closed',
        'stopped',
      ])
      expect(await service.line('stopped')).toMatchObject({ exitCode: 0 })
    },
  )

  test('while draining /readyz is 503 again and /healthz still 200', async () => {
    const service = await startProcess({ CLOSE: 'waits for SIGHUP' })
    await service.line('ready')
    service.signal('SIGTERM')
    await service.line('the second is closing')
    expect(await service.probe('/readyz')).toEqual({
      status: 503,
      text: '{"ready":false,"waitingFor":["draining"]}\n',
    })
    expect((await service.probe('/healthz')).status).toBe(200)
    service.signal('SIGHUP')
    expect(await service.exit).toBe(0)
  })

  test('while the start waits for a broker ends it', async () => {
    const service = await startProcess({ START: 'waits for a broker' })
    await service.line('probes listening')
    service.signal('SIGTERM')
    expect(await service.exit).toBe(0)
    expect(service.messages()).not.toContain('unexpected error')
    expect(service.messages()).toContain('the first is closed')
  })

  test('ends a start that only a closer can end, and what that start still opened is closed', async () => {
    const service = await startProcess({ START: 'waits for a closer' })
    await service.line('probes listening')
    await service.probe('/readyz')
    service.signal('SIGTERM')
    expect(await service.exit).toBe(0)
    expect(service.messages()).toContain('the late one is closed')
  })

  test('a drain that does not finish in time exits 1 and says what did not finish', async () => {
    const service = await startProcess({ CLOSE: 'waits for SIGHUP', SHUTDOWN_TIMEOUT_MS: '300' })
    await service.line('ready')
    service.signal('SIGTERM')
    expect(await service.exit).toBe(1)
    const line = await service.line('the drain did not finish in time')
    expect(line).toMatchObject({ level: 50, unfinished: ['the second', 'the first'] })
  })

  test('what cannot be closed is logged, the rest is closed, and it exits 1', async () => {
    const service = await startProcess({ CLOSE: 'fails' })
    await service.line('ready')
    service.signal('SIGTERM')
    expect(await service.exit).toBe(1)
    const line = await service.line('could not be closed')
    expect(line).toMatchObject({ closing: 'the second', err: { message: 'the second cannot be closed' } })
    expect(service.messages()).toContain('the first is closed')
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('a second one, %s, exits at once with %i', async (signal, code) => {
    const service = await startProcess({ CLOSE: 'waits for SIGHUP' })
    await service.line('ready')
    service.signal('SIGTERM')
    await service.line('the second is closing')
    service.signal(signal)
    expect(await service.exit).toBe(code)
    expect(service.messages()).not.toContain('stopped')
  })
})

describe('an error that nobody handles is logged, and exits 1 after the drain', () => {
  test.each([
    ['a rejection', 'SIGUSR2', 'nobody awaited this'],
    ['an exception', 'SIGPIPE', 'thrown out of an event'],
  ] as const)('%s', async (_name, signal, message) => {
    const service = await startProcess()
    await service.line('ready')
    service.signal(signal)
    expect(await service.exit).toBe(1)
    expect(await service.line('unexpected error')).toMatchObject({ err: { message } })
    expect(service.messages().slice(-2)).toEqual(['the first is closed', 'stopped'])
  })

  test('also when it comes while the service drains', async () => {
    const service = await startProcess({ CLOSE: 'waits for SIGHUP' })
    await service.line('ready')
    service.signal('SIGTERM')
    await service.line('the second is closing')
    service.signal('SIGUSR2')
    await service.line('unexpected error')
    service.signal('SIGHUP')
    expect(await service.exit).toBe(1)
    expect(service.messages()).toContain('the first is closed')
  })
})

describe('a port in use gets one sentence with the setting to change, and exit code 69', () => {
  test.each(['PROBE_PORT', 'HTTP_PORT'])('%s', async setting => {
    const occupant = createServer().listen(0, '127.0.0.1')
    await once(occupant, 'listening')
    onTestFinished(() => void occupant.close())
    const address = occupant.address()
    const port = typeof address === 'object' ? String(address?.port) : ''

    const service = await startProcess({ [setting]: port })
    expect(await service.exit).toBe(69)
    expect(service.stderr()).toBe(
      `service-under-test: port ${port} on 127.0.0.1 is in use: stop the program that listens there, or set ${setting} to a free port\n`,
    )
  })

  test('an address that is not of this machine is named with its setting', async () => {
    const service = await startProcess({ PROBE_HOST: '192.0.2.1' })
    expect(await service.exit).toBe(69)
    expect(service.stderr()).toContain('set PROBE_HOST to 127.0.0.1 or 0.0.0.0')
  })
})

test('an error of the start that carries an exit code is told in one sentence, and ends it with that code', async () => {
  const service = await startProcess({ START: 'fails with a code' })
  expect(await service.exit).toBe(78)
  expect(service.stderr()).toBe('service-under-test: the table is missing: create it\n')
  expect(service.messages()).not.toContain('unexpected error')
})

async function folderWithEnvFile(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'settings-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, '.env'), content)
  return folder
}

describe('settings', () => {
  test('all that are wrong are named at once, without secrets, with exit code 78', async () => {
    const service = await startProcess({ PROBE_PORT: 'abc', SHUTDOWN_TIMEOUT_MS: '-1', API_TOKEN: 'hunter2' })
    expect(await service.exit).toBe(78)
    expect(service.messages()).toEqual([])
    const [title, ...lines] = service.stderr().trim().split('\n')
    expect(title).toBe('service-under-test: settings are wrong')
    expect(lines.slice(0, 3)).toEqual([
      '  PROBE_PORT           must be a whole number from 0 to 65535 (was "abc")',
      '  SHUTDOWN_TIMEOUT_MS  must be a whole number from 0 to 2147483647 (was "-1")',
      expect.stringMatching(/^ {2}API_TOKEN {12}Too big: .*\(its value is not shown\)$/),
    ])
    expect(lines.at(-1)).toMatch(/^The environment sets them, and counts before \S+\/\.env; /)
    expect(service.stderr()).not.toContain('hunter2')
  })

  test('come from the file .env of the working directory where the environment does not set them', async () => {
    const folder = await folderWithEnvFile(
      'PROBE_PORT=abc\nSHUTDOWN_TIMEOUT_MS=def # a comment\nSTART=fails\n',
    )
    const service = await startProcess({ SHUTDOWN_TIMEOUT_MS: '1000', START: '' }, folder)
    expect(await service.exit).toBe(78)
    expect(service.stderr()).toContain('PROBE_PORT  must be a whole number from 0 to 65535 (was "abc")')
    expect(service.stderr()).not.toContain('SHUTDOWN_TIMEOUT_MS')
    expect(service.stderr()).toContain(`Set them in the environment or in ${join(folder, '.env')}; `)

    const repaired = await startProcess({ SHUTDOWN_TIMEOUT_MS: '1000', START: '', PROBE_PORT: '0' }, folder)
    // START=fails of the file holds: an empty string in the environment is not set.
    expect(await repaired.exit).toBe(1)
  })
})
