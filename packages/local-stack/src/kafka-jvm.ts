/** How the broker's Java is called: class path, memory, and what makes it start fast. */
import { createHash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchJars, type Progress } from './maven.ts'
import { requireJava } from './tools.ts'
import { buildOnce, exists } from './user-cache.ts'

const kafkaVersion = '4.3.1'
const packageDir = join(import.meta.dirname, '..')

export type KafkaJvm = {
  /** Kafka's jars, in the user's cache */
  jarsDir: string
  command: string
  /** options that go before the main class */
  options: string[]
}

/**
 * start: up in 1-2 s and light on a small machine; compiles with the fast compiler only.
 * throughput: for measurements; the full compiler and the collector that Kafka's own scripts choose.
 */
export type JvmTuning = 'start' | 'throughput'

export type KafkaJvmOptions = {
  tuning: JvmTuning
  heapBytes: number
  progress: Progress
  /**
   * Starts and stops a broker with this JVM, its data in a folder that is removed afterwards, so that it can write down which classes
   * a broker loads. Resolves when the JVM has ended.
   */
  rehearse: (jvm: KafkaJvm, dataDir: string) => Promise<void>
}

/**
 * Fetches the jars when they are not there and tells how to run Java with them.
 * @throws {LocalStackError} when Java or Maven is missing
 */
export async function prepareKafkaJvm(options: KafkaJvmOptions): Promise<KafkaJvm> {
  const java = await requireJava()
  const jarsDir = await fetchKafkaJars(options.progress)
  // Sorted, because an archive of classes is valid only for the class path it was made with.
  const jars = (await readdir(jarsDir)).filter(name => name.endsWith('.jar')).toSorted()
  const jvm: KafkaJvm = {
    jarsDir,
    command: java.command,
    options: [
      `-Xmx${Math.ceil(options.heapBytes / 1024 / 1024)}m`,
      ...(options.tuning === 'start' ? ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'] : ['-XX:+UseG1GC']),
      '-Djava.awt.headless=true',
      `-Dlog4j2.configurationFile=${join(packageDir, 'kafka', 'log4j2.properties')}`,
      '-cp',
      jars.map(name => join(jarsDir, name)).join(':'),
    ],
  }
  const archive = await findClassArchive(jarsDir, java.version, jvm, options)
  return archive === null ? jvm : withOption(jvm, `-XX:SharedArchiveFile=${archive}`)
}

/**
 * The folder in the user's cache that holds Kafka's jars.
 * @throws {LocalStackError} when Maven is missing or fails
 */
export function fetchKafkaJars(progress: Progress): Promise<string> {
  return fetchJars({
    name: 'kafka',
    version: kafkaVersion,
    pom: join(packageDir, 'kafka', 'pom.xml'),
    title: `Apache Kafka ${kafkaVersion} (54 MB)`,
    progress,
  })
}

/**
 * The classes that a broker loads, parsed once and mapped into memory afterwards (JEP 350): a start takes half the time
 * and half the processor. The archive belongs to one class path and one Java. Null without one: everything works, only slower.
 */
function findClassArchive(
  jarsDir: string,
  javaVersion: string,
  jvm: KafkaJvm,
  options: KafkaJvmOptions,
): Promise<string | null> {
  const javaHash = createHash('sha256').update(javaVersion).digest('hex').slice(0, 8)
  const path = `${jarsDir}-classes-${javaHash}`
  const underWay = rehearsals.get(path)
  if (underWay !== undefined) return underWay
  const rehearsal = buildClassArchive(path, jvm, options).finally(() => rehearsals.delete(path))
  rehearsals.set(path, rehearsal)
  return rehearsal
}

/** Under way, by the folder of the archive. Brokers that are started together share one, or each would rehearse after the failure of the one before. */
const rehearsals = new Map<string, Promise<string | null>>()

async function buildClassArchive(
  path: string,
  jvm: KafkaJvm,
  { progress, rehearse }: KafkaJvmOptions,
): Promise<string | null> {
  try {
    await buildOnce(path, async unfinished => {
      progress('Preparing fast starts of Kafka with one rehearsal (once per user)')
      const dataDir = join(unfinished, 'broker')
      await rehearse(withOption(jvm, `-XX:ArchiveClassesAtExit=${join(unfinished, archiveName)}`), dataDir)
      await rm(dataDir, { recursive: true, force: true })
    })
  } catch (error) {
    // Not kept: it may have been Ctrl-C or a busy machine, and a Java that cannot make archives refuses the option at once.
    const [reason] = String(error instanceof Error ? error.message : error).split(/\.\s|\.$|\n/)
    progress(`Kafka starts slower this time, because its rehearsal failed: ${reason}.`)
    return null
  }
  // None is there when the Java has no archive of its own to build upon: it warns, and ends in order.
  return (await exists(join(path, archiveName))) ? join(path, archiveName) : null
}

const archiveName = 'kafka.jsa'

function withOption(jvm: KafkaJvm, option: string): KafkaJvm {
  return { ...jvm, options: [option, ...jvm.options] }
}
