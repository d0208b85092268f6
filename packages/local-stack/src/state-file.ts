/** A small JSON file beside a server's data that says what runs there, written whole or not at all. */
import { renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from './error-code.ts'
import { LocalStackError } from './errors.ts'
import type { KafkaJvm } from './kafka-jvm.ts'
import type { ProcessIdentity } from './process-identity.ts'

export type KafkaNodeState = {
  id: number
  port: number
  controllerPort: number
  /** null while it is stopped */
  process: ProcessIdentity | null
}

export type KafkaState = {
  kind: 'kafka'
  clusterId: string
  /** the data folder goes away with the brokers */
  temporary: boolean
  jvm: KafkaJvm
  nodes: KafkaNodeState[]
}

export type MariaDbState = {
  kind: 'mariadb'
  temporary: boolean
  /** the server's program files */
  baseDir: string
  port: number
  binlog: boolean
  process: ProcessIdentity | null
}

export type ConnectState = {
  kind: 'connect'
  temporary: boolean
  port: number
  jvm: { command: string; options: string[] }
  process: ProcessIdentity | null
}

type ServerState = KafkaState | MariaDbState | ConnectState

const titles = { kafka: 'Kafka', mariadb: 'MariaDB', connect: 'Kafka Connect' }

/** The state of the brokers in `dataDir`, null when none were ever started there. Another server's data: LocalStackError. */
export async function readKafkaState(dataDir: string): Promise<KafkaState | null> {
  const state = await readState(dataDir)
  if (state === null || state.kind === 'kafka') return state
  throw foreignDataError(dataDir, state, 'kafka')
}

/** The same for MariaDB. */
export async function readMariaDbState(dataDir: string): Promise<MariaDbState | null> {
  const state = await readState(dataDir)
  if (state === null || state.kind === 'mariadb') return state
  throw foreignDataError(dataDir, state, 'mariadb')
}

/** The same for Kafka Connect. */
export async function readConnectState(dataDir: string): Promise<ConnectState | null> {
  const state = await readState(dataDir)
  if (state === null || state.kind === 'connect') return state
  throw foreignDataError(dataDir, state, 'connect')
}

// Synchronous, so that the states that concurrent starts of one process write cannot overtake each other.
export function writeState(dataDir: string, state: ServerState): void {
  const unfinished = `${statePath(dataDir)}.${process.pid}.unfinished`
  writeFileSync(unfinished, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(unfinished, statePath(dataDir))
}

async function readState(dataDir: string): Promise<ServerState | null> {
  try {
    const state: ServerState = JSON.parse(await readFile(statePath(dataDir), 'utf8'))
    return state
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}

function foreignDataError(dataDir: string, found: ServerState, wanted: ServerState['kind']): LocalStackError {
  return new LocalStackError(
    `${dataDir} holds the data of ${titles[found.kind]}, not of ${titles[wanted]}: choose another folder.`,
  )
}

function statePath(dataDir: string): string {
  return join(dataDir, 'state.json')
}
