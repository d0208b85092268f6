/**
 * The demo of change data capture and of the outbox: users are created, changed and deleted over HTTP, the topic and the replica are
 * watched meanwhile, and a ledger tells what became of every single change. It succeeds only if the pattern kept all that it
 * promises; what it does not promise (states that a poller never sees) is counted and shown.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ComposeService } from '../../compose-file/compose-file.ts'
import { followRecords } from '../../follow-records.ts'
import { quietKafka } from '../../kafka-client.ts'
import { quietMysql } from '../../mysql-client.ts'
import { brokersFromHere } from '../../stack-addresses.ts'
import { colors, print } from '../../terminal.ts'
import { UserError } from '../../user-error.ts'
import type { Demo, Verdict } from '../demo.ts'
import { arrivalOf, createChangeLedger } from './change-ledger.ts'
import { checkPledge, type Check, type Evidence } from './check-pledge.ts'
import { createNarrator } from './narrator.ts'
import type { Pattern } from './patterns.ts'
import { compareTables, watchReplica } from './replica.ts'
import { printChecks, printSummary, printWhereToLook } from './summary.ts'
import { lateCommitMs, writeUsers } from './write-users.ts'

// How long after the last commit the replica may take.
const patienceMs = 30_000
// What comes twice comes at once.
const aftermathMs = 300

export async function runUsersDemo(pattern: Pattern, { runtime, stack, services }: Demo): Promise<Verdict> {
  const registry = serviceOf(services, pattern.registry)
  const table = replicaTableOf(serviceOf(services, pattern.sink))
  print(
    colors.bold(
      `20 users through ${pattern.registry}: created, changed, deleted; one rolled back, one committed ${lateCommitMs / 1_000} s late`,
    ),
  )
  print(colors.dim(`  "Ada 4" is version 4 of Ada's row`))

  const ledger = createChangeLedger()
  const narrator = createNarrator(services, pattern, table)
  const ids: string[] = []
  const source = quietMysql(stack, runtime.kind, 'user_registry')
  const replica = quietMysql(stack, runtime.kind, 'mysql_sink_consumer')
  const ended = new AbortController()
  const failure = Promise.withResolvers<never>()
  const topic = await followRecords(
    quietKafka(brokersFromHere(stack, runtime.kind), 'demo'),
    [pattern.topic],
    ({ partition, records }) => {
      const at = performance.now()
      const arrivals = records.map(arrivalOf)
      for (const arrival of arrivals) ledger.arrived(arrival, at)
      narrator.arrived(partition, arrivals)
    },
    failure.reject,
  )
  const watching = watchReplica(
    replica,
    table,
    () => ids,
    (id, version, at) => {
      ledger.replicaHas(id, version, at)
      narrator.replicaHas(id, version)
    },
    ended.signal,
  )
  const judge = (rows: Evidence['replica']) =>
    checkPledge(pattern.pledge, {
      topic: pattern.topic,
      reader: pattern.reader,
      report: ledger.report(),
      replica: rows,
    })

  async function play(): Promise<Check[]> {
    await writeUsers({
      registry,
      mysql: source,
      writes: pattern.writes,
      ledger,
      narrate: (who, text) => narrator.written(who, text),
      introduce(id, label) {
        ids.push(id)
        narrator.introduce(id, label)
      },
    })
    await untilComplete(
      () =>
        judge({ table, rows: 0, differences: [] }).every(check => check.kept) &&
        ledger.report().changes.every(change => change.inReplicaAt !== null),
    )
    await delay(aftermathMs)
    narrator.flush()
    return judge({ table, ...(await compareTables(source, replica, table, ids)) })
  }

  try {
    // Watching ends only by an error, or when all is over.
    const checks = await Promise.race([play(), watching.then(() => []), failure.promise])
    printSummary(ledger.report().changes, pattern)
    printChecks(checks)
    printWhereToLook(pattern, services)
    return checks.every(check => check.kept)
      ? { kept: true, sentence: `${pattern.reader} and ${pattern.sink} kept what they promise.` }
      : { kept: false, sentence: 'Not everything that is promised was kept; what was not stands above.' }
  } finally {
    ended.abort()
    await Promise.allSettled([watching, topic.stop()])
    await Promise.all([source.close(), replica.close()])
  }
}

function serviceOf(services: ComposeService[], name: string): ComposeService {
  const service = services.find(candidate => candidate.name === name)
  if (service === undefined) throw new UserError(`docker-compose.yml: the demo needs a service ${name}.`)
  return service
}

function replicaTableOf({ name, environment: { REPLICA_TABLE } }: ComposeService): string {
  if (REPLICA_TABLE === undefined) throw new UserError(`docker-compose.yml: ${name} has no REPLICA_TABLE.`)
  return REPLICA_TABLE
}

/** Ends when it is so, or when the time is up; which of the two, the checks tell. */
async function untilComplete(isComplete: () => boolean): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!isComplete() && performance.now() < deadline) await delay(50)
}
