/**
 * `make doctor`: looks at everything that a working stack needs and says what to change. Exits with 1 if something is wrong.
 * KAFKA_BROKERS=<host:port,…> examines these brokers; without it, those of the stack, if it runs.
 */
import { runCommand } from './command.ts'
import { examineKafka, parseAddress } from './doctor/examine-kafka.ts'
import { examineDisk, examineTools } from './doctor/examine-machine.ts'
import { examineDotEnv, examinePorts } from './doctor/examine-settings.ts'
import { note, printFindings, type Finding } from './doctor/finding.ts'
import { isKafka } from './local-runtime/kafka-server.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import { brokersFromHere } from './stack-addresses.ts'
import { colors, done, failed, print } from './terminal.ts'
import { UserError } from './user-error.ts'

await runCommand(async () => {
  const { runtime, stack } = await findActiveRuntime()
  const all: Finding[] = []
  const report = (title: string, findings: Finding[]) => {
    printFindings(title, findings)
    all.push(...findings)
  }
  report('Tools', await examineTools())
  report('Settings', await examineDotEnv(stack.repositoryDir))
  report('Disk', await examineDisk(stack.repositoryDir))
  report('Ports on 127.0.0.1', await examinePorts(stack, runtime))

  const given = process.env.KAFKA_BROKERS
  const brokers = given || brokersFromHere(stack, runtime.kind)
  const kafkaRuns = (await runtime.status()).some(
    ({ service, state }) =>
      state !== 'ended' && stack.file.services.some(s => s.name === service && isKafka(s)),
  )
  const title = `Kafka at ${brokers}`
  if (given || kafkaRuns) report(title, await examineKafka(brokers.split(',').map(requireAddress)))
  else report(title, [note('does not run; `make up` starts it')])

  const faults = all.filter(finding => finding.kind === 'fault').length
  print()
  print(
    faults === 0
      ? `${done} ${colors.bold('Nothing is wrong.')}`
      : `${failed} ${colors.bold(`${faults} thing(s) to change; each stands above with its remedy.`)}`,
  )
  return faults === 0 ? 0 : 1
})

function requireAddress(text: string): { host: string; port: number } {
  const address = parseAddress(text)
  if (address === null)
    throw new UserError(`KAFKA_BROKERS must be host:port, separated by commas, but has "${text}".`)
  return address
}
