import { controlConnector } from './connector-control.ts'

/** As long as `registerConnector` gives it for a start. */
const stopTimeoutMs = 60_000

/**
 * Ends a connector and takes its registration away. Resolves when it has written its last record; false when there was none of
 * this name. Connect keeps its position: registered again under the same name it goes on from there.
 * @throws {UserError} when nothing answers at `connectUrl` or the connector does not end
 */
export async function removeConnector(connectUrl: string, name: string): Promise<boolean> {
  const connector = controlConnector(connectUrl, name)
  if ((await connector.get('/config')) === null) return false
  // Deleted at once, its task would go on writing what it has read after the answer.
  await connector.change('PUT', '/stop')
  await connector.waitUntil('STOPPED', stopTimeoutMs)
  await connector.change('DELETE', '')
  return true
}
