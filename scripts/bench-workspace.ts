/** The benchmark is a workspace of its own, so that its kafkajs is the published one; it is installed when it is first needed. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryDir } from './repository.ts'
import { runProgram } from './run-tool.ts'
import { print, step } from './terminal.ts'
import { UserError } from './user-error.ts'

export const benchDir = join(repositoryDir, 'bench')

/** Installs the benchmark's dependencies if they are not what its lockfile says. */
export async function installBench(): Promise<void> {
  const wanted = readFileSync(join(benchDir, 'pnpm-lock.yaml'), 'utf8')
  const installed = join(benchDir, 'node_modules', '.pnpm', 'lock.yaml')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return

  const manifest = readFileSync(join(repositoryDir, 'package.json'), 'utf8')
  const pnpm = /"packageManager": "(pnpm@[^"]+)"/.exec(manifest)?.[1] ?? 'pnpm'
  print(`${step} fetching what the benchmark compares with (once)`)
  const code = await runProgram('npx', ['--yes', pnpm, 'install', '--frozen-lockfile', '--silent'], {
    cwd: benchDir,
    env: { npm_config_loglevel: 'error' },
  })
  if (code !== 0) throw new UserError('The packages of bench/ could not be installed; the output is above.')
}
