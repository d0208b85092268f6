import { expect, test } from 'vitest'
import { readComposeFile } from './compose-file/compose-file.ts'
import { composeFilePath, repositoryDir } from './repository.ts'
import { brokersFromHere, mysqlFromHere } from './stack-addresses.ts'
import type { Runtime, Stack } from './runtime/runtime.ts'

test.each<[string, Runtime['kind'], Record<string, string>, string, string]>([
  ['what is started with them', 'local', {}, '127.0.0.1:9092', '127.0.0.1'],
  ['what is published of containers', 'containers', {}, '127.0.0.1:9092', '127.0.0.1'],
  [
    'the same where an empty variable stands for none',
    'containers',
    { KAFKA_BROKERS: '', MYSQL_HOST: '' },
    '127.0.0.1:9092',
    '127.0.0.1',
  ],
  [
    'what is published of containers that are named',
    'containers',
    { KAFKA_BROKERS: 'kafka:19092', MYSQL_HOST: 'mysql' },
    '127.0.0.1:9092',
    '127.0.0.1',
  ],
  [
    'servers elsewhere',
    'local',
    { KAFKA_BROKERS: 'far:9092,away:9092', MYSQL_HOST: 'far' },
    'far:9092,away:9092',
    'far',
  ],
  [
    'servers elsewhere, which containers use too',
    'containers',
    { KAFKA_BROKERS: 'far:9092,away:9092', MYSQL_HOST: 'far' },
    'far:9092,away:9092',
    'far',
  ],
])('commands look at %s (%s)', async (_what, kind, variables, brokers, host) => {
  const file = await readComposeFile(composeFilePath, variables)
  const stack: Stack = { repositoryDir, file, brokers: 1, variables, stateDir: '/nowhere' }
  expect(brokersFromHere(stack, kind)).toBe(brokers)
  expect(mysqlFromHere(stack, kind).host).toBe(host)
})
