import { expect, test } from 'vitest'
import type { ComposeService } from './compose-file/compose-file.ts'
import { refusedSettings, requireAcceptedSettings } from './refused-settings.ts'

function service(name: string, program: string | null, environment: Record<string, string>): ComposeService {
  return {
    name,
    program,
    environment,
    instanceOf: null,
    profiles: [],
    image: null,
    ports: [],
    dependsOn: [],
    stopGracePeriodMs: 0,
  }
}

test('settings that every service accepts', async () => {
  const services = [
    service('kafka', null, { LOG_LEVEL: 'chatty' }),
    service('user-api', 'simple-producer', { LOG_LEVEL: 'debug', LINGER_MS: '' }),
  ]
  await expect(requireAcceptedSettings(services)).resolves.toBeUndefined()
})

test('what several services refuse alike is said once, with all of them', async () => {
  const services = [
    service('user-api', 'simple-producer', { LOG_LEVEL: 'chatty' }),
    service('batch-consumer', 'batch-consumer', { LOG_LEVEL: 'chatty', BATCH_SIZE: '0' }),
  ]
  expect(await refusedSettings(services)).toEqual([
    expect.objectContaining({ key: 'LOG_LEVEL', services: ['user-api', 'batch-consumer'] }),
    expect.objectContaining({ key: 'BATCH_SIZE', services: ['batch-consumer'] }),
  ])
  await expect(requireAcceptedSettings(services)).rejects.toThrow(
    /^Nothing was started or stopped.*\nLOG_LEVEL of user-api, batch-consumer: must be one of .*\nBATCH_SIZE of batch-consumer: must be .*\n.*\.env/,
  )
})
