/** The two tools that a local stack needs from the machine; each missing one gets a sentence that says how to get it. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { LocalStackError } from './errors.ts'

const runFile = promisify(execFile)
const oldestJava = 17

const installJava =
  'install one, e.g. `apt install openjdk-17-jre-headless` (Debian, Ubuntu), `dnf install java-21-openjdk-headless` (Fedora) or `brew install openjdk` (macOS).'
const installMaven =
  'install it, e.g. `apt install maven` (Debian, Ubuntu), `dnf install maven` (Fedora) or `brew install maven` (macOS).'

export type Java = {
  command: string
  /** e.g. 17 */
  major: number
  /** the full version as the runtime prints it, e.g. 17.0.15+6-Debian-1deb12u1 */
  version: string
}

/**
 * The Java runtime of PATH, else of JAVA_HOME.
 * @throws {LocalStackError} when there is none or it is older than 17
 */
export async function requireJava(): Promise<Java> {
  const candidates = ['java']
  if (process.env.JAVA_HOME) candidates.push(join(process.env.JAVA_HOME, 'bin', 'java'))
  for (const command of candidates) {
    const output = await versionOutput(command, ['-version'])
    const java = output === null ? null : parseJavaVersion(output)
    if (java === null) continue
    if (java.major < oldestJava) {
      throw new LocalStackError(
        `Apache Kafka needs Java ${oldestJava} or newer, but \`${command}\` is ${java.version}: ${installJava}`,
      )
    }
    return { command, ...java }
  }
  throw new LocalStackError(
    `Java ${oldestJava} or newer is needed and \`java\` was not found: ${installJava}`,
  )
}

/** @throws {LocalStackError} when `mvn` cannot be run */
export async function requireMaven(): Promise<string> {
  if ((await versionOutput('mvn', ['-v'])) === null) {
    throw new LocalStackError(
      `Maven is needed to fetch the servers and \`mvn\` was not found: ${installMaven}`,
    )
  }
  return 'mvn'
}

/** Reads the output of `java -version`, null when it is no such output. Versions before 9 count as 1.8 and the like. */
export function parseJavaVersion(output: string): { major: number; version: string } | null {
  const quoted = /version "([^"]+)"/.exec(output)?.[1]
  if (quoted === undefined) return null
  const [first = '', second = ''] = quoted.split(/[._+-]/)
  const major = first === '1' ? Number(second) : Number(first)
  const build = /build ([^\s,)]+)/.exec(output)?.[1]
  return { major, version: build ?? quoted }
}

async function versionOutput(command: string, parameters: string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await runFile(command, parameters)
    return stdout + stderr
  } catch {
    // Not there, or a stub that only says that it is not installed (macOS): the caller names the remedy for both.
    return null
  }
}
