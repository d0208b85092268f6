/** The run's database as a container of the official image, for machines with a Docker Engine. */
import { GenericContainer, Wait } from 'testcontainers'
import type { MysqlServer } from './test-mysql.ts'

const image = 'mysql:9.7'
const rootPassword = 'root'
const readyTimeoutMs = 120_000

/** Starts a MySQL with a binary log of whole rows. Removed by `stop()`, or by testcontainers' reaper. */
export async function startMysqlContainer(): Promise<{ server: MysqlServer; stop(): Promise<void> }> {
  const container = await new GenericContainer(image)
    .withExposedPorts(3306)
    .withEnvironment({ MYSQL_ROOT_PASSWORD: rootPassword })
    .withTmpFs({ '/var/lib/mysql': 'rw' })
    // While it initializes itself the server runs without a network: only the final one names this port.
    .withWaitStrategy(Wait.forLogMessage(/ready for connections.*port: 3306\b/))
    .withStartupTimeout(readyTimeoutMs)
    .start()
  return {
    server: { host: container.getHost(), port: container.getMappedPort(3306), rootPassword },
    async stop() {
      await container.stop({ timeout: 0 })
    },
  }
}
