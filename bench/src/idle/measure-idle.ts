import { setTimeout as sleep } from 'node:timers/promises'
import { finish, readTask } from '../task.ts'

/** With everything connected: percent of one core that this process uses while nothing happens. */
export async function measureIdle(): Promise<never> {
  const { warmUpMs, durationMs } = readTask()
  await sleep(warmUpMs)
  const before = process.cpuUsage()
  await sleep(durationMs)
  const { user, system } = process.cpuUsage(before)
  finish({ value: (user + system) / 1000 / durationMs / 0.01 })
}
