import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { fetchKafkaJars, prepareKafkaJvm, type KafkaJvmOptions } from './kafka-jvm.ts'

test('a rehearsal that fails is told once, is not kept, and comes again at the next start', async () => {
  const jars = await fetchKafkaJars(() => {})
  const base = await mkdtemp(join(tmpdir(), 'kafka-jvm-test-'))
  onTestFinished(() => rm(base, { recursive: true, force: true }))
  const cache = join(base, 'kafka-pattern')
  await mkdir(cache)
  await symlink(jars, join(cache, basename(jars)))
  vi.stubEnv('XDG_CACHE_HOME', base)
  onTestFinished(() => void vi.unstubAllEnvs())

  const told: string[] = []
  let arrived = 0
  const bothAreHere = Promise.withResolvers<void>()
  const prepare = async (rehearse: KafkaJvmOptions['rehearse']) => {
    const { options } = await prepareKafkaJvm({
      tuning: 'start',
      // Read right before it looks for a rehearsal that is under way.
      get heapBytes() {
        if (++arrived === 2) bothAreHere.resolve()
        return 1
      },
      progress: line => told.push(line),
      rehearse,
    })
    return options.filter(option => option.startsWith('-XX:SharedArchiveFile'))
  }
  const rehearse = vi.fn<KafkaJvmOptions['rehearse']>(async (_jvm, dataDir) => {
    await mkdir(dataDir)
    await bothAreHere.promise
    throw new Error('Kafka broker 1 ended while starting. The end of its log:\nInterrupted.')
  })
  expect(await Promise.all([prepare(rehearse), prepare(rehearse)])).toEqual([[], []])
  expect(rehearse).toHaveBeenCalledTimes(1)
  expect(told).toEqual([
    expect.stringMatching(/^Preparing /),
    'Kafka starts slower this time, because its rehearsal failed: Kafka broker 1 ended while starting.',
  ])
  expect(await readdir(cache)).toEqual([basename(jars)])

  const option = /^-XX:ArchiveClassesAtExit=(.*)$/
  const archives = await prepare(async jvm => writeFile(option.exec(jvm.options[0]!)![1]!, ''))
  expect(archives).toEqual([expect.stringContaining(`${jars.slice(jars.lastIndexOf('/'))}-classes-`)])
})
