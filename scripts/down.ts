/** `make down`: stops whatever runs, in either runtime. The data stays for the next `make up`. */
import { runCommand } from './command.ts'
import { usableRuntimes } from './runtime/choose-runtime.ts'
import { done, print } from './terminal.ts'

await runCommand(async () => {
  let stoppedAny = false
  let clearedAny = false
  for (const { runtime } of await usableRuntimes()) {
    clearedAny ||= (await runtime.started()).length > 0
    const stopped = await runtime.down()
    if (stopped.length === 0) continue
    stoppedAny = true
    print(
      `${done} Stopped ${runtime.title}: ${stopped.join(', ')}. The data stays; \`make clean\` removes it.`,
    )
  }
  if (!stoppedAny)
    print(clearedAny ? 'Nothing runs; what had ended by itself is forgotten.' : 'Nothing runs.')
})
