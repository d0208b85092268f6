/**
 * `make doctor`: looks at everything that a working stack needs and says what to change. Exits with 1 if something is wrong.
 * KAFKA_BROKERS=<host:port,…> examines these brokers; without it, those of the stack, if it runs.
 */
import { runCommand } from './command.ts'
import type { ComposeService } from './compose-file/compose-file.ts'
import { examineConnect } from './doctor/examine-connect.ts'
import { examineKafka, parseAddress } from './doctor/examine-kafka.ts'
import { examineDisk, examineTools } from './doctor/examine-machine.ts'
import { examineMysql } from './doctor/examine-mysql.ts'
import { examineDotEnv, examinePorts, examineServiceSettings } from './doctor/examine-settings.ts'
import { examineServices } from './doctor/examine-services.ts'
import { note, printFindings, type Finding } from './doctor/finding.ts'
import { isConnect } from './local-runtime/connect-server.ts'
import { isKafka } from './local-runtime/kafka-server.ts'
import { isMysql } from './local-runtime/mysql-server.ts'
import { quietMysql } from './mysql-client.ts'
import { chooseRuntime, findActiveRuntime } from './runtime/choose-runtime.ts'
import type { ServiceStatus } from './runtime/runtime.ts'
import { brokersFromHere, mysqlFromHere } from './stack-addresses.ts'
import { colors, done, failed, print } from './terminal.ts'
import { UserError } from './user-error.ts'

await runCommand(async () => {
  const { runtime, stack } = await findActiveRuntime()
  const all: Finding[] = []
  const report = (title: string, findings: Finding[]) => {
    printFindings(title, findings)
    all.push(...findings)
  }
  report('Tools', await examineTools((await chooseRuntime()).runtime.kind))
  report('Settings', [
    ...(await examineDotEnv(stack.repositoryDir)),
    ...(await examineServiceSettings(stack.file.services)),
  ])
  report('Disk', await examineDisk(stack.repositoryDir))

  const statuses = await runtime.status()
  report('Ports on 127.0.0.1', await examinePorts(stack, runtime.kind, statuses))
  const ailing = await examineServices(stack.file.services, statuses)
  if (ailing.length > 0) report('Services', ailing)
  const findOne = (is: (service: ComposeService) => boolean, among: ServiceStatus[]) =>
    stack.file.services.find(service => is(service) && among.some(status => status.service === service.name))
  // Of servers that are not it has just been told: asked, they would be counted twice.
  const ready = statuses.filter(({ state }) => state === 'ready')

  const given = process.env.KAFKA_BROKERS
  const brokers = given || brokersFromHere(stack, runtime.kind)
  const title = `Kafka at ${brokers}`
  if (given || findOne(isKafka, ready))
    report(title, await examineKafka(brokers.split(',').map(requireAddress)))
  else if (findOne(isKafka, statuses)) report(title, [note('not asked: see above')])
  else report(title, [note('does not run; `make up` starts it')])

  // Only some profiles have these two.
  if (findOne(isMysql, ready)) {
    const { host, port, database } = mysqlFromHere(stack, runtime.kind)
    const mysql = quietMysql(stack, runtime.kind, 'user_registry')
    try {
      report(`MySQL at ${host}:${port}`, await examineMysql(mysql, database))
    } finally {
      await mysql.close()
    }
  }
  const connect = findOne(isConnect, ready)
  if (connect) {
    const address = `127.0.0.1:${connect.ports[0]?.hostPort}`
    report(`Kafka Connect at ${address}`, await examineConnect(`http://${address}`))
  }

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
