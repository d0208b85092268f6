/** The images of the profile `ui` are somebody else's: what is set for them is what their documentation names. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { isConnect } from '../local-runtime/connect-server.ts'
import { createLocalRuntime } from '../local-runtime/local-runtime.ts'
import { composeFilePath, repositoryDir } from '../repository.ts'
import { readComposeFile, servicesOf } from './compose-file.ts'

const brokers = 'kafka-1:19092,kafka-2:19092,kafka-3:19092'
const file = await readComposeFile(composeFilePath, { KAFKA_BROKERS: brokers, KAFKA_UI_PORT: '9999' })
const pages = servicesOf(file, 'ui')
const page = (name: string) => pages.find(service => service.name === name)
const connect = file.services.find(isConnect)!
const connectUrl = `http://${connect.name}:${connect.ports[0]!.containerPort}`

test('two pages and nothing else, of a fixed version, each at a port that a variable moves', () => {
  expect(pages.map(({ name, image, ports }) => [name, image, ports])).toEqual([
    [
      'kafka-ui',
      expect.stringMatching(/\/kafka-ui:v\d+\.\d+\.\d+$/),
      [{ hostPort: 9999, containerPort: 8080, variable: 'KAFKA_UI_PORT' }],
    ],
    [
      'redpanda-console',
      expect.stringMatching(/\/console:v\d+\.\d+\.\d+$/),
      [{ hostPort: 8091, containerPort: 8080, variable: 'REDPANDA_CONSOLE_PORT' }],
    ],
  ])
})

test('both ask the brokers that run, and Connect', async () => {
  expect(page('kafka-ui')?.environment).toMatchObject({
    KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS: brokers,
    KAFKA_CLUSTERS_0_KAFKACONNECT_0_ADDRESS: connectUrl,
  })
  const console = page('redpanda-console')!
  expect(console.environment.KAFKA_BROKERS).toBe(brokers)
  const raw: { services: Record<string, { volumes: string[] }> } = parse(
    await readFile(composeFilePath, 'utf8'),
    { merge: true },
  )
  const [from, to] = raw.services[console.name]!.volumes[0]!.split(':')
  expect(console.environment.CONFIG_FILEPATH).toBe(`${to}/config.yaml`)
  const config: unknown = parse(await readFile(join(repositoryDir, from!, 'config.yaml'), 'utf8'))
  expect(config).toEqual({
    kafkaConnect: { enabled: true, clusters: [{ name: 'connect', url: connectUrl }] },
  })
})

test('the local runtime refuses them', async () => {
  const runtime = createLocalRuntime({
    repositoryDir,
    file,
    brokers: 1,
    variables: {},
    stateDir: '/nonexistent',
  })
  await expect(runtime.up(pages)).rejects.toThrow(/but not kafka-ui, redpanda-console\.$/)
})
