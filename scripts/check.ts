/** `make check`: all three checks, also when an earlier one fails, so that one run tells everything. */
import { runCommand } from './command.ts'
import { runTool } from './run-tool.ts'
import { done, failed, print } from './terminal.ts'

const checks: [title: string, tool: string, parameters: string[]][] = [
  ['types', 'tsc', ['--noEmit']],
  ['types of bench', 'tsc', ['--noEmit', '--project', 'bench']],
  ['lint', 'oxlint', ['--type-aware']],
  ['format', 'prettier', ['--check', '--log-level', 'warn', '.']],
]

await runCommand(async () => {
  let failures = 0
  for (const [title, tool, parameters] of checks) {
    const code = await runTool(tool, parameters)
    if (code !== 0) failures++
    print(`${code === 0 ? done : failed} ${title}`)
  }
  return failures === 0 ? 0 : 1
})
