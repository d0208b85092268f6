import { readComposeFile } from '../../scripts/compose-file/compose-file.ts'
import { composeFilePath } from '../../scripts/repository.ts'

const { services } = await readComposeFile(composeFilePath, {})

/** The variables by which docker-compose.yml bounds the memory of a service. */
export function memoryBoundsOf(service: string): Record<string, string> {
  const { NODE_OPTIONS, MALLOC_ARENA_MAX } =
    services.find(({ program }) => program === service)?.environment ?? {}
  if (NODE_OPTIONS === undefined) throw new Error(`docker-compose.yml gives ${service} no NODE_OPTIONS`)
  return { NODE_OPTIONS, ...(MALLOC_ARENA_MAX !== undefined && { MALLOC_ARENA_MAX }) }
}
