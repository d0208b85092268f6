import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { onTestFinished } from 'vitest'
import { readComposeFile, type ComposeService } from './compose-file/compose-file.ts'
import { composeFilePath } from './repository.ts'

export const { services } = await readComposeFile(composeFilePath, {})

/** The service as docker-compose.yml describes it, with probes that answer so until the test ends. */
export async function withProbes(name: string, listener: RequestListener): Promise<ComposeService> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('the server has no port')
  const service = services.find(each => each.name === name)!
  return { ...service, environment: { ...service.environment, PROBE_PORT: String(address.port) } }
}
