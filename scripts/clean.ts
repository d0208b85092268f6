/** `make clean`: stops whatever runs and forgets it: records, offsets, logs. */
import { runCommand } from './command.ts'
import { usableRuntimes } from './runtime/choose-runtime.ts'
import { done, print } from './terminal.ts'

await runCommand(async () => {
  for (const { runtime } of await usableRuntimes()) {
    await runtime.clean()
    print(`${done} Nothing of the ${runtime.title} is left.`)
  }
})
