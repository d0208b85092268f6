/** The tools that each runtime needs, and room on the disk. */
import { statfs } from 'node:fs/promises'
import { LocalStackError, requireJava, requireMaven } from '@kafka-pattern/local-stack'
import { findDocker } from '../runtime/docker.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { fault, fine, note, type Finding } from './finding.ts'

// The jars, the packages and the images come to about 1.2 GB, and Kafka needs room for records.
const neededBytes = 2 * 1024 ** 3

export async function examineTools(chosen: Runtime['kind']): Promise<Finding[]> {
  const docker = await findDocker()
  const findings = [fine(`Node ${process.versions.node}, brought by the workspace`)]
  findings.push(
    docker.usable
      ? fine(
          `Docker Engine ${docker.engine} with Compose ${docker.compose}: \`make up\` runs ${chosen === 'containers' ? 'containers' : 'local processes all the same, because of RUNTIME=local'}`,
        )
      : note(
          `No containers, because ${docker.reason}: \`make up\` runs local processes, which need Java and Maven`,
        ),
  )
  const missing =
    chosen === 'containers'
      ? (text: string) => note(`Without it RUNTIME=local cannot be used: ${text}`)
      : fault
  findings.push(await examineTool(async () => fine(`Java ${(await requireJava()).version}`), missing))
  findings.push(await examineTool(async () => fine(`Maven: ${await requireMaven()}`), missing))
  return findings
}

async function examineTool(
  find: () => Promise<Finding>,
  missing: (text: string) => Finding,
): Promise<Finding> {
  try {
    return await find()
  } catch (error) {
    if (error instanceof LocalStackError) return missing(error.message)
    throw error
  }
}

export async function examineDisk(directory: string): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(directory)
  const free = `${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB free on the disk of ${directory}`
  return [
    bavail * bsize >= neededBytes
      ? fine(free)
      : fault(`${free}, but 2 GiB are needed`, '`make clean` and `docker system prune` make room.'),
  ]
}
