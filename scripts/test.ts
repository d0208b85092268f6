/** `make test`: unit, then integration, then end-to-end, in one run that ends with one line "N passed, N failed". */
import { runCommand } from './command.ts'
import { runTool } from './run-tool.ts'

await runCommand(() => runTool('vitest', ['run', ...process.argv.slice(2)]))
