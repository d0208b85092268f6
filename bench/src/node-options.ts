import { readComposeFile } from '../../scripts/compose-file/compose-file.ts'
import { composeFilePath } from '../../scripts/repository.ts'

const { services } = await readComposeFile(composeFilePath, {})

/** NODE_OPTIONS of a service as docker-compose.yml runs it: the bounds of its heap. */
export function nodeOptionsOf(service: string): string {
  const options = services.find(({ program }) => program === service)?.environment.NODE_OPTIONS
  if (options === undefined) throw new Error(`docker-compose.yml gives ${service} no NODE_OPTIONS`)
  return options
}
