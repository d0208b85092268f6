/** How the broker's Java is called: class path, memory, and what makes it start fast. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchJars, type Progress } from './maven-jars.ts'
import { requireJava } from './tools.ts'

export const kafkaVersion = '4.3.1'

export type KafkaJvm = {
  command: string
  /** options that go before the main class */
  options: string[]
}

/**
 * start: up in 1-2 s and light on a small machine; compiles with the fast compiler only.
 * throughput: for measurements; the full compiler and the collector that Kafka's own scripts choose.
 */
export type JvmTuning = 'start' | 'throughput'

/**
 * Fetches the jars when they are not there and tells how to run Java with them.
 * @throws {LocalStackError} when Java or Maven is missing
 */
export async function prepareKafkaJvm(
  tuning: JvmTuning,
  heapBytes: number,
  progress: Progress,
): Promise<KafkaJvm> {
  const java = await requireJava()
  const packageDir = join(import.meta.dirname, '..')
  const jarsDir = await fetchJars({
    name: 'kafka',
    version: kafkaVersion,
    pom: join(packageDir, 'kafka', 'pom.xml'),
    title: `Apache Kafka ${kafkaVersion} (54 MB)`,
    progress,
  })
  // Sorted, because an archive of shared classes is valid only for the class path it was made with.
  const jars = (await readdir(jarsDir)).filter(name => name.endsWith('.jar')).toSorted()
  const options = [
    `-Xmx${Math.ceil(heapBytes / 1024 / 1024)}m`,
    ...(tuning === 'start' ? ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'] : ['-XX:+UseG1GC']),
    '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=${join(packageDir, 'kafka', 'log4j2.properties')}`,
    '-cp',
    jars.map(name => join(jarsDir, name)).join(':'),
  ]
  return { command: java.command, options }
}
