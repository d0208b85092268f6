import { identifyProcess } from '@kafka-pattern/local-stack'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { eventually } from './eventually.ts'
import { startService } from './running-service.ts'
import { createTopic } from './topics.ts'

async function isHealthy(probeUrl: string, timeoutMs = 60_000): Promise<boolean> {
  try {
    return (await fetch(`${probeUrl}/healthz`, { signal: AbortSignal.timeout(timeoutMs) })).ok
  } catch {
    return false
  }
}

test('a service runs as a process of its own that can be frozen, thawed and stopped', async () => {
  const service = await startService('simple-consumer', { KAFKA_TOPICS: await createTopic() })
  expect(service.logLines.some(line => line.msg === 'ready')).toBe(true)
  expect(await isHealthy(service.probeUrl)).toBe(true)
  service.freeze()
  await eventually(async () => expect(await isHealthy(service.probeUrl, 300)).toBe(false), {
    what: 'the process to stand still',
  })
  service.thaw()
  expect(await isHealthy(service.probeUrl)).toBe(true)
  expect(service.exit).toBeNull()
  expect(await service.stop()).toBe(0)
  expect(service.logLines.some(line => line.msg === 'stopped')).toBe(true)
})

test('settings of the one who runs the tests do not reach a service', async () => {
  vi.stubEnv('LOG_LEVEL', 'no such level')
  onTestFinished(() => void vi.unstubAllEnvs())
  const service = await startService('simple-consumer', { KAFKA_TOPICS: await createTopic() })
  expect(service.exit).toBeNull()
})

test('a killed service has no time to say goodbye', async () => {
  const service = await startService('simple-consumer', { KAFKA_TOPICS: await createTopic() })
  await service.kill()
  expect(service.exit).toBe('SIGKILL')
  expect(service.logLines.some(line => line.msg === 'stopped')).toBe(false)
})

test('a service that ends before it is ready fails the start, with its output', async () => {
  await expect(startService('simple-consumer', { KAFKA_BROKERS: 'not an address' })).rejects.toThrow(
    /simple-consumer ended with 78 before being ready\..*KAFKA_BROKERS/s,
  )
})

describe('at the end of its test a service is ended', () => {
  let left: number
  test('even one that is frozen', async () => {
    const service = await startService('simple-consumer', { KAFKA_TOPICS: await createTopic() })
    left = service.pid
    service.freeze()
    expect(service.exit).toBeNull()
  })
  test('before the next test begins', async () => {
    expect(await identifyProcess(left)).toBeNull()
  })
})
