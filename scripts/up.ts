/** `make up`: starts the services of a profile and ends with its demo. Usage: up.ts <profile>, or cluster for pubsub on three brokers */
import { servicesOf } from './compose-file/compose-file.ts'
import { runCommand } from './command.ts'
import { printVerdict, type Demo, type Verdict } from './demo/demo.ts'
import { runClusterDemo } from './demo/cluster/demo.ts'
import { runPubsubDemo } from './demo/pubsub/demo.ts'
import { runUsersDemo } from './demo/users/demo.ts'
import { patterns } from './demo/users/patterns.ts'
import { findUnreadSettings } from './known-variables.ts'
import { requireDistinctPorts } from './local-runtime/published-ports.ts'
import { startConnector, stopReplaced } from './one-reader.ts'
import { requireAcceptedSettings } from './refused-settings.ts'
import { brokerProfiles, requireSameBrokers } from './runtime/broker-count.ts'
import { chooseRuntime, usableRuntimes } from './runtime/choose-runtime.ts'
import { colors, print, seconds } from './terminal.ts'
import { UserError } from './user-error.ts'

await runCommand(async () => {
  const show = process.argv[2] ?? 'pubsub'
  // The cluster's demo begins with that of publish and subscribe, on three brokers whatever BROKERS says.
  const profile = show === 'cluster' ? 'pubsub' : show
  const startedAt = performance.now()
  const { runtime, stack, reason } = await chooseRuntime(show === 'cluster' ? { BROKERS: '3' } : {})
  const services = servicesOf(stack.file, profile, brokerProfiles[stack.brokers])
  for (const other of await usableRuntimes()) {
    if (other.runtime.kind !== runtime.kind && (await other.runtime.started()).length > 0) {
      throw new UserError(`The stack runs already as ${other.runtime.title}: \`make down\` stops it.`)
    }
  }
  const unread = await findUnreadSettings(stack.repositoryDir)
  if (unread.length > 0) {
    print(
      colors.yellow(
        `.env sets ${unread.join(', ')}, which nothing reads: compare the names with .env.example.`,
      ),
    )
  }
  await requireSameBrokers(runtime, stack)
  await requireAcceptedSettings(services)
  requireDistinctPorts(services)
  process.once('SIGINT', () => {
    print('\n`make ps` shows what runs on, `make down` stops it.')
    // 128 and the number of SIGINT.
    process.exit(130)
  })
  print(
    `${colors.bold(`Starting ${services.length} services as ${runtime.title}`)} ${colors.dim(`(${reason})`)}`,
  )
  await stopReplaced(runtime, stack, profile)
  await runtime.up(services)
  await startConnector(runtime, stack, profile)
  print(`${colors.bold(`Up after ${seconds(performance.now() - startedAt)}`)}\n`)

  const demoStartedAt = performance.now()
  const verdict = await demoOf(show)({ runtime, stack, services })
  const took = `${seconds(performance.now() - startedAt)} in all, ${seconds(performance.now() - demoStartedAt)} of them the demo`
  print()
  printVerdict(verdict, took)
  return verdict.kept ? 0 : 1
})

function demoOf(show: string): (demo: Demo) => Promise<Verdict> {
  if (show === 'pubsub') return runPubsubDemo
  if (show === 'cluster') return runClusterDemo
  const pattern = patterns[show]
  if (pattern !== undefined) return demo => runUsersDemo(pattern, demo)
  throw new UserError(`There is no demo of profile ${show}.`)
}
