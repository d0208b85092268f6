import { expect, test, vi } from 'vitest'
import { readComposeFile } from './compose-file/compose-file.ts'
import { createLocalRuntime } from './local-runtime/local-runtime.ts'
import { startConnector } from './one-reader.ts'
import { composeFilePath, repositoryDir } from './repository.ts'
import type { ServiceStatus, Stack } from './runtime/runtime.ts'
import { UserError } from './user-error.ts'

async function whenConnectIs(state: ServiceStatus['state'], profile: string): Promise<void> {
  const file = await readComposeFile(composeFilePath, {})
  const stack: Stack = { repositoryDir, file, brokers: 1, variables: {}, stateDir: '/nowhere' }
  const runtime = createLocalRuntime(stack)
  const connect: ServiceStatus = { service: 'connect', state, detail: '', process: { host: 'here', pid: 1 } }
  vi.spyOn(runtime, 'status').mockResolvedValue([connect])
  await startConnector(runtime, stack, profile)
}

test.each(['cdc-debezium', 'outbox-debezium'])(
  'a connector of %s that cannot be registered is told, and what to do',
  async profile => {
    for (const state of ['not ready', 'ended'] as const) {
      const start = whenConnectIs(state, profile)
      await expect(start).rejects.toThrow(UserError)
      await expect(start).rejects.toThrow(/not ready.*make logs SERVICE=connect.*make down/)
      await expect(start).rejects.toThrow(`make ${profile}-up`)
    }
  },
)

test.each(['pubsub', 'cdc', 'outbox'])('%s needs no Connect', async profile => {
  await expect(whenConnectIs('not ready', profile)).resolves.toBeUndefined()
})
