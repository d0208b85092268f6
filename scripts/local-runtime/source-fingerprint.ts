import { createHash } from 'node:crypto'
import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Changes with every change of code that the program may run: its own, the packages', the dependencies' versions. */
export async function fingerprintSources(repositoryDir: string, program: string): Promise<string> {
  const patterns = [
    `services/${program}/src/**/*.ts`,
    'packages/*/src/**/*.ts',
    'pnpm-lock.yaml',
    'patches/*',
  ]
  const files: string[] = []
  for await (const file of glob(patterns, { cwd: repositoryDir, exclude: ['**/*.test.ts'] })) files.push(file)
  const hash = createHash('sha256')
  for (const file of files.toSorted()) {
    hash.update(file).update('\0')
    hash.update(await readFile(join(repositoryDir, file)))
  }
  return hash.digest('hex')
}
