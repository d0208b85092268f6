import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { startKafka } from './kafka.ts'
import { fetchJars, type MavenRequest } from './maven.ts'
import { requireJava } from './tools.ts'

let folder: string
let request: MavenRequest

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'maven-test-'))
  await mkdir(join(folder, 'bin'))
  await writeFile(join(folder, 'pom.xml'), '<project/>')
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'))
  vi.stubEnv('JAVA_HOME', '')
  request = {
    name: 'thing',
    version: '1.0',
    pom: join(folder, 'pom.xml'),
    title: 'Thing 1.0',
    progress: () => {},
  }
  return async () => {
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true, force: true })
  }
})

/** Puts a shell script in front of the tools of this machine. */
async function fakeTool(name: string, script: string): Promise<void> {
  await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`)
  await chmod(join(folder, 'bin', name), 0o755)
  vi.stubEnv('PATH', `${join(folder, 'bin')}${delimiter}${process.env.PATH}`)
}

const fakeMaven = `
  case "$1" in -v) echo Apache Maven; exit 0;; esac
  for parameter in "$@"; do case "$parameter" in -DoutputDirectory=*) out="\${parameter#*=}";; esac; done
  echo fetched >> "$FETCHES"; sleep 0.2; touch "$out/thing.jar"`

describe('jars', () => {
  test('are fetched once for two callers at a time and for all later ones, and it is said', async () => {
    vi.stubEnv('FETCHES', join(folder, 'fetches'))
    await fakeTool('mvn', fakeMaven)
    const lines: string[] = []
    request.progress = line => lines.push(line)
    const [first, second] = await Promise.all([fetchJars(request), fetchJars(request)])
    expect(await fetchJars(request)).toBe(first)
    expect(second).toBe(first)
    expect(await readdir(first)).toEqual(['thing.jar'])
    expect(await readFile(join(folder, 'fetches'), 'utf8')).toBe('fetched\n')
    // What is said every 3 s meanwhile is said of a slow machine, too.
    expect(lines.filter(line => !line.startsWith('  … '))).toEqual([
      expect.stringContaining('Fetching Thing 1.0'),
      expect.stringContaining('Fetched Thing 1.0'),
    ])
  })

  test('of a changed pom are fetched anew, into a folder of their own', async () => {
    vi.stubEnv('FETCHES', join(folder, 'fetches'))
    await fakeTool('mvn', fakeMaven)
    const before = await fetchJars(request)
    await writeFile(request.pom, '<project><version>2</version></project>')
    expect(await fetchJars(request)).not.toBe(before)
    expect(await readFile(join(folder, 'fetches'), 'utf8')).toBe('fetched\nfetched\n')
  })

  test('that Maven cannot get: the error ends in what Maven said', async () => {
    await fakeTool('mvn', 'case "$1" in -v) exit 0;; esac; echo "[ERROR] Unknown host"; exit 1')
    await expect(fetchJars(request)).rejects.toThrow(/Maven could not fetch Thing 1\.0.*Unknown host/s)
  })
})

describe('a missing tool is one sentence with its remedy', () => {
  test('Maven', async () => {
    vi.stubEnv('PATH', join(folder, 'bin'))
    await expect(fetchJars(request)).rejects.toThrow(
      /`mvn` was not found.*apt install maven.*brew install maven/,
    )
  })

  test('Java', async () => {
    vi.stubEnv('PATH', join(folder, 'bin'))
    await expect(startKafka()).rejects.toThrow(/`java` was not found.*apt install openjdk/)
  })

  test('Java that is too old', async () => {
    await fakeTool('java', `echo 'openjdk version "11.0.2" 2019-01-15' >&2`)
    await expect(startKafka()).rejects.toThrow(/needs Java 17 or newer, but `java` is 11\.0\.2: install/)
  })

  test('but Java of JAVA_HOME is found when PATH has none', async () => {
    await fakeTool('java', `echo 'openjdk version "21.0.1" 2023-10-17' >&2`)
    vi.stubEnv('JAVA_HOME', folder)
    vi.stubEnv('PATH', '/nowhere:/usr/bin/nothing')
    expect(await requireJava()).toMatchObject({ command: join(folder, 'bin', 'java'), major: 21 })
  })
})
