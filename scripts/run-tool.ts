import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { repositoryDir } from './repository.ts'

const binDir = join(repositoryDir, 'node_modules', '.bin')

/** Runs a tool of the workspace in the repository with this terminal, the workspace's Node first in PATH. Its exit code. */
export function runTool(
  name: string,
  parameters: string[],
  env: Record<string, string> = {},
): Promise<number> {
  return runProgram(join(binDir, name), parameters, {
    cwd: repositoryDir,
    env: { PATH: `${binDir}${delimiter}${process.env.PATH ?? ''}`, ...env },
  })
}

/** Runs a program with this terminal; what `make` puts into the environment for itself is left out. Its exit code. */
export function runProgram(
  file: string,
  parameters: string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<number> {
  const { MAKEFLAGS: _flags, MAKELEVEL: _level, ...inherited } = process.env
  const child = spawn(file, parameters, { cwd, stdio: 'inherit', env: { ...inherited, ...env } })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve(code ?? 1))
  })
}
