/**
 * Formats a broker's storage without a JVM of its own: a second less for each broker. What Kafka's storage tool writes
 * is a file of ids and a snapshot of feature levels; the snapshot depends on the version of Kafka alone, so it is made by
 * the tool once per user and copied from then on.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { KafkaJvm } from './kafka-jvm.ts'
import { buildOnce, exists } from './user-cache.ts'

const idsFile = 'meta.properties'
const snapshotFile = 'bootstrap.checkpoint'

/** Formats `logDir` for this node, unless it is formatted already. */
export async function formatStorage(
  jvm: KafkaJvm,
  logDir: string,
  node: { clusterId: string; id: number },
): Promise<void> {
  if (await exists(join(logDir, idsFile))) return
  const template = await buildOnce(`${jvm.jarsDir}-format`, dir => formatByTool(jvm, dir))
  await mkdir(logDir, { recursive: true })
  await copyFile(join(template, snapshotFile), join(logDir, snapshotFile))
  // Last, because this file is what says that the storage is formatted.
  await writeFile(
    join(logDir, idsFile),
    `version=1\ncluster.id=${node.clusterId}\nnode.id=${node.id}\ndirectory.id=${newKafkaUuid()}\n`,
  )
}

/** 16 random bytes as Kafka writes them: URL-safe base64, and never with a dash in front, which tools take for an option. */
export function newKafkaUuid(): string {
  for (;;) {
    const uuid = randomBytes(16).toString('base64url')
    if (!uuid.startsWith('-')) return uuid
  }
}

async function formatByTool(jvm: KafkaJvm, dir: string): Promise<void> {
  const properties = join(dir, 'server.properties')
  await writeFile(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      'controller.quorum.voters=1@127.0.0.1:9093',
      'controller.listener.names=CONTROLLER',
      'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
      `log.dirs=${dir}`,
    ].join('\n'),
  )
  const tool = [...jvm.options, 'kafka.tools.StorageTool']
  await promisify(execFile)(jvm.command, [...tool, 'format', '-t', newKafkaUuid(), '-c', properties])
}
