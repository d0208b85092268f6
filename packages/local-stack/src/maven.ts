/** Fetches what a pom.xml names, with all it depends on, once per user. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { LocalStackError } from './errors.ts'
import { requireMaven } from './tools.ts'
import { buildOnce, userCacheDir } from './user-cache.ts'

const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1'
const progressIntervalMs = 3_000

/** Receives one line of text at a time about what takes long. */
export type Progress = (line: string) => void

export type MavenRequest = {
  /** names the cache folder, e.g. kafka */
  name: string
  version: string
  /** path of the pom.xml; its content is part of the cache folder's name, so a changed pom is fetched anew */
  pom: string
  /** for the placeholders in the pom */
  properties?: Record<string, string>
  /** what a person reads while waiting, e.g. "Apache Kafka 4.3.1 (54 MB)" */
  title: string
  progress: Progress
  /** what remains to be done in the folder before it is shared */
  finish?: (dir: string) => Promise<void>
}

/**
 * The folder in the user's cache that holds the jars and nothing else.
 * @throws {LocalStackError} when Maven is missing or fails (with the end of its output)
 */
export function fetchJars(request: MavenRequest): Promise<string> {
  return fetchOnce(request, 'copy-dependencies')
}

/**
 * The folder in the user's cache that holds what was in the jars.
 * @throws {LocalStackError} as `fetchJars`
 */
export function fetchContents(request: MavenRequest): Promise<string> {
  return fetchOnce(request, 'unpack-dependencies')
}

async function fetchOnce(request: MavenRequest, goal: string): Promise<string> {
  const pomHash = createHash('sha256')
    .update(await readFile(request.pom))
    .update(JSON.stringify(request.properties ?? {}))
    .digest('hex')
  const path = join(userCacheDir(), `${request.name}-${request.version}-${pomHash.slice(0, 12)}`)
  return buildOnce(path, async dir => {
    const maven = await requireMaven()
    request.progress(`Fetching ${request.title} by Maven into ${path} (once per user)`)
    const startedAt = performance.now()
    await runMaven(maven, request, goal, dir)
    await request.finish?.(dir)
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    request.progress(`Fetched ${request.title} in ${seconds} s`)
  })
}

async function runMaven(
  maven: string,
  request: MavenRequest,
  goal: string,
  outputDir: string,
): Promise<void> {
  const properties = {
    includeScope: 'runtime',
    outputDirectory: outputDir,
    // Beside the pom, where they would be by default, they would make Maven skip the work after the cache was emptied.
    markersDirectory: join(outputDir, 'META-INF', 'maven-markers'),
    ...request.properties,
  }
  const parameters = [
    '--batch-mode',
    `--file=${request.pom}`,
    `${plugin}:${goal}`,
    ...Object.entries(properties).map(([name, value]) => `-D${name}=${value}`),
  ]
  const child = spawn(maven, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
  const startedAt = performance.now()
  const lastLines: string[] = []
  let downloaded = 0
  const onLine = (line: string) => {
    if (line.includes('Downloaded from')) downloaded++
    else if (!line.includes('Downloading from')) lastLines.push(line)
    if (lastLines.length > 15) lastLines.shift()
  }
  createInterface({ input: child.stdout }).on('line', onLine)
  createInterface({ input: child.stderr }).on('line', onLine)
  const ticker = setInterval(() => {
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    // All of them may be in Maven's own cache.
    request.progress(`  … ${seconds} s${downloaded > 0 ? `, ${downloaded} files downloaded` : ''}`)
  }, progressIntervalMs)
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    if (code !== 0) {
      throw new LocalStackError(
        `Maven could not fetch ${request.title} (exit code ${code}); is the network there? The end of its output:\n${lastLines.join('\n')}`,
      )
    }
  } finally {
    clearInterval(ticker)
  }
}
