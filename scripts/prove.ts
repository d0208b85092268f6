/**
 * `make prove`: two ways that look right and lose changes, each beside the one that does not. Every experiment says first what it will
 * find, does it on a real Kafka and a real database of its own, and succeeds only if it found just that.
 */
import { dualWrite } from '../experiments/dual-write.ts'
import { naiveCursor } from '../experiments/naive-cursor.ts'
import { runCommand } from './command.ts'
import { printVerdict } from './demo/demo.ts'
import type { Experiment } from './prove/experiment.ts'
import { createLab, type Lab } from './prove/lab.ts'
import { isAsPredicted, type Ledger } from './prove/ledger.ts'
import { numberLines } from './table.ts'
import { colors, done, failed, print, seconds, step } from './terminal.ts'

const experiments = [naiveCursor, dualWrite]

await runCommand(async () => {
  const startedAt = performance.now()
  const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<null>()
  // Each time: the second Ctrl-C of somebody in a hurry would end this process alone, and the servers outlive whoever started them.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      print(`\n  ${step} ending and removing all that was started: a few seconds`)
      interrupt(null)
    })
  }
  const lab = await createLab()
  let kept: boolean | null
  try {
    kept = await Promise.race([runAll(lab), interrupted])
  } finally {
    await lab.close()
  }
  // What was interrupted still waits for something.
  if (kept === null) process.exit(130)
  print()
  const sentence = kept ? 'Every prediction came true.' : 'Not every prediction came true; see above.'
  printVerdict({ kept, sentence }, seconds(performance.now() - startedAt))
  return kept ? 0 : 1
})

/** Whether every prediction came true. */
async function runAll(lab: Lab): Promise<boolean> {
  await lab.startServers()
  let kept = true
  for (const experiment of experiments) {
    print(`\n${colors.bold(experiment.title)}`)
    print(`  ${colors.cyan('prediction')}        ${experiment.prediction}`)
    const ledgers = await experiment.run(lab)
    kept = printOutcome(experiment, ledgers) && kept
  }
  return kept
}

function printOutcome({ predicted }: Experiment, ledgers: Ledger[]): boolean {
  const rows = ledgers.map(({ way, changes, seen, lost, invented }) => ({
    name: way,
    cells: [changes, seen, lost, invented],
  }))
  print()
  for (const line of numberLines(['', 'changes', 'seen', 'lost', 'invented'], rows)) print(line)
  const kept = isAsPredicted(ledgers, predicted)
  print(`\n  ${kept ? `${done} as predicted` : `${failed} not as predicted`}`)
  return kept
}
