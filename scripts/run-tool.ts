import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { repositoryDir } from './repository.ts'

/** Runs a tool of the workspace in the repository with this terminal, the workspace's Node first in PATH. Its exit code. */
export function runTool(name: string, parameters: string[]): Promise<number> {
  const binDir = join(repositoryDir, 'node_modules', '.bin')
  const { MAKEFLAGS: _flags, MAKELEVEL: _level, ...inherited } = process.env
  const child = spawn(join(binDir, name), parameters, {
    cwd: repositoryDir,
    stdio: 'inherit',
    env: { ...inherited, PATH: `${binDir}${delimiter}${process.env.PATH ?? ''}` },
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve(code ?? 1))
  })
}
