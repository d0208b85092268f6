/** Kafka and a database of the experiments' own, which may be broken and are gone afterwards, and services of this repository on them. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findFreePorts } from '@kafka-pattern/local-stack'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { arrivalOf } from '../demo/users/change-ledger.ts'
import { followRecords } from '../follow-records.ts'
import { quietKafka } from '../kafka-client.ts'
import { isMysql } from '../local-runtime/mysql-server.ts'
import { isReady } from '../local-runtime/service-process.ts'
import { quietMysql } from '../mysql-client.ts'
import { repositoryDir } from '../repository.ts'
import { brokersOf } from '../runtime/broker-count.ts'
import { chooseRuntime } from '../runtime/choose-runtime.ts'
import { brokersFromHere, mysqlFromHere } from '../stack-addresses.ts'
import { colors, nameWidth, padVisible, print } from '../terminal.ts'
import { UserError } from '../user-error.ts'

const patienceMs = 60_000

export type Lab = {
  /** as user-registry, whose table it is */
  mysql: Mysql
  /**
   * Starts a service, with these settings beyond the addresses; resolves when it is ready.
   * @throws {UserError} when it does not become ready, or when everything is being ended
   */
  start(program: string, settings: Record<string, string>): Promise<Program>
  /** The names of the users, by their ids, of which the topic has a state: of all records that come after this resolves. */
  follow(topic: string): Promise<ReadonlyMap<string, string>>
  /** Kafka and the database, which is what an experiment finds. */
  startServers(): Promise<void>
  killKafka(): Promise<void>
  startKafka(): Promise<void>
  /** Ends everything and removes what it left, whatever is under way. */
  close(): Promise<void>
}

export type Program = { url: string; isReady(): Promise<boolean> }

export async function createLab(): Promise<Lab> {
  const stateDir = await mkdtemp(join(tmpdir(), 'kafka-pattern-prove-'))
  const [KAFKA_PORT, MYSQL_PORT] = (await findFreePorts(2)).map(String)
  const projectName = `kafka-pattern-prove-${stateDir.slice(-6).toLowerCase()}`
  // In the environment, where Compose looks, too: nothing that runs already is touched, and no `.env` leads to a server elsewhere.
  Object.assign(process.env, { LOCAL_STACK_DIR: stateDir, COMPOSE_PROJECT_NAME: projectName })
  Object.assign(process.env, { KAFKA_PORT, MYSQL_PORT, KAFKA_BROKERS: '', MYSQL_HOST: '', BROKERS: '1' })
  const { runtime, stack, reason } = await chooseRuntime()
  const brokers = brokersOf(stack)
  const programs: ChildProcess[] = []
  const followers: { stop(): Promise<void> }[] = []
  const mysql = quietMysql(stack, runtime.kind, 'user_registry')
  const kafka = quietKafka(brokersFromHere(stack, runtime.kind), 'prove')
  const { host, port, database } = mysqlFromHere(stack, runtime.kind)
  let isClosed = false
  let serversStart = Promise.resolve()
  // An experiment that was interrupted goes on, and nobody would end what it starts now.
  const requireOpen = (what: string) => {
    if (isClosed) throw new UserError(`${what} is not started: everything is being ended.`)
  }
  const startServers = async (services: ComposeService[]) => {
    requireOpen(services.map(({ name }) => name).join(', '))
    await (serversStart = runtime.up(services))
  }
  return {
    mysql,

    async startServers() {
      print(colors.bold(`Kafka and a database as ${runtime.title}`) + colors.dim(` (${reason})`))
      await startServers([...brokers, ...stack.file.services.filter(isMysql)])
    },

    killKafka: () => runtime.kill(brokers[0]!.name),
    startKafka: () => startServers(brokers),

    async start(program, settings) {
      const [PORT, PROBE_PORT] = await findFreePorts(2)
      const user = program.replaceAll('-', '_')
      requireOpen(program)
      const child = spawn(process.execPath, [join(repositoryDir, 'services', program, 'src', 'main.ts')], {
        cwd: stateDir,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env.PATH,
          NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
          NODE_ENV: 'production',
          KAFKA_BROKERS: brokersFromHere(stack, runtime.kind),
          MYSQL_HOST: host,
          MYSQL_PORT: String(port),
          MYSQL_DATABASE: database,
          MYSQL_USER: user,
          MYSQL_PASSWORD: user,
          PORT: String(PORT),
          PROBE_PORT: String(PROBE_PORT),
          ...settings,
        },
      })
      programs.push(child)
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-5_000)))
      const ended = once(child, 'exit').then(() => 'ended')
      const ready = until(() => isReady(PROBE_PORT!)).then(inTime => (inTime ? 'ready' : 'not ready'))
      const outcome = await Promise.race([ended, ready])
      if (outcome !== 'ready') throw new UserError(`${program} is ${outcome}. The end of its log:\n${output}`)
      return { url: `http://127.0.0.1:${PORT}`, isReady: () => isReady(PROBE_PORT!) }
    },

    async follow(topic) {
      const names = new Map<string, string>()
      const follower = await followRecords(kafka, [topic], ({ records }) => {
        for (const arrival of records.map(arrivalOf))
          if (arrival.is === 'state') names.set(arrival.id, arrival.state.name)
      })
      followers.push(follower)
      return names
    },

    async close() {
      isClosed = true
      // What starts the servers would keep their removal waiting in any case, and the experiment goes on right behind it.
      await Promise.allSettled([serversStart])
      for (const program of programs) program.kill('SIGKILL')
      await Promise.allSettled([mysql.close(1_000), ...followers.map(follower => follower.stop())])
      await runtime.clean()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}

/** Whether it came to be so in time. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + patienceMs
  while (!(await isSo())) {
    if (performance.now() > deadline) return false
    await delay(50)
  }
  return true
}

export function tell(who: string, what: string): void {
  print(`  ${padVisible(who, nameWidth)} ${what}`)
}
