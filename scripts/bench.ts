/** `make bench`: this project and its peers, measured in one run on a broker of their own (bench/README.md). */
import { join } from 'node:path'
import { benchDir, installBench } from './bench-workspace.ts'
import { runCommand } from './command.ts'
import { runTool } from './run-tool.ts'

await runCommand(async () => {
  await installBench()
  const figures = (process.env.FIGURE ?? '').split(',').filter(figure => figure !== '')
  return runTool('node', [
    join(benchDir, 'src', 'run.ts'),
    ...figures.flatMap(figure => ['--figure', figure]),
    ...process.argv.slice(2),
  ])
})
