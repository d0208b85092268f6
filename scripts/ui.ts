/**
 * `make ui-up`: two pages for a browser beside what runs, kafbat's kafka-ui and Redpanda Console, which know its brokers and Connect.
 * They exist as images only.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { servicesOf, type ComposeService } from './compose-file/compose-file.ts'
import { runCommand } from './command.ts'
import { portOf } from './local-runtime/image-server.ts'
import { isKafka } from './local-runtime/kafka-server.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import { findDocker } from './runtime/docker.ts'
import { colors, done, nameWidth, padVisible, print } from './terminal.ts'
import { UserError } from './user-error.ts'

// A JVM with Spring, on a machine that has others to run.
const answerTimeoutMs = 90_000

await runCommand(async () => {
  const { runtime, stack } = await findActiveRuntime()
  if (runtime.kind === 'local') throw new UserError(await remedyWithoutContainers())
  const started = await runtime.started()
  if (!stack.file.services.some(service => isKafka(service) && started.includes(service.name))) {
    throw new UserError('Nothing runs that the pages could show. `make up` starts it.')
  }
  const pages = servicesOf(stack.file, 'ui')
  await runtime.up(pages)
  await Promise.all(pages.map(untilItAnswers))
  print()
  print(colors.bold('Where to look'))
  for (const page of pages) print(`  ${done} ${padVisible(page.name, nameWidth)} ${urlOf(page)}`)
  print(
    `  ${padVisible(colors.cyan('make down'), nameWidth + 2)} ${colors.dim('stops them with everything else')}`,
  )
})

async function remedyWithoutContainers(): Promise<string> {
  const docker = await findDocker()
  const remedy = docker.usable
    ? '`make down`, then `make up RUNTIME=containers` and `make ui-up`'
    : `${docker.reason}: docs.docker.com/engine/install tells how to get it, then \`make up RUNTIME=containers\``
  return `kafka-ui and Redpanda Console are to be had as container images only: ${remedy}. Without containers \`make lag\`, \`make watch\` and \`make dlt\` show much of it in the terminal.`
}

/** @throws {UserError} when nothing comes in time */
async function untilItAnswers(page: ComposeService): Promise<void> {
  const deadline = performance.now() + answerTimeoutMs
  while (performance.now() < deadline) {
    if (await answers(urlOf(page))) return
    await delay(250)
  }
  throw new UserError(
    `${page.name} runs, but ${urlOf(page)} did not answer within ${answerTimeoutMs / 1_000} s: \`make logs SERVICE=${page.name}\`.`,
  )
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    await response.arrayBuffer()
    return response.ok
  } catch (error) {
    // Nobody listens yet, or not fast enough: the caller decides how long to try.
    if (error instanceof TypeError || (error instanceof Error && error.name === 'TimeoutError')) return false
    throw error
  }
}

function urlOf(page: ComposeService): string {
  return `http://127.0.0.1:${portOf(page)}`
}
