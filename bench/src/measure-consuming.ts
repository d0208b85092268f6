import { finish, readTask, tailRecords } from './task.ts'

/**
 * Counts consumed records and reports records per second from the arrival of the first to that of the last of
 * `task.records` before the tail: joining the group is not part of the figure.
 */
export function countConsumed(): (records: number) => void {
  const { records: total } = readTask()
  let consumed = 0
  let firstAt = 0
  let atFirst = 0
  return records => {
    consumed += records
    if (firstAt === 0) {
      firstAt = performance.now()
      atFirst = consumed
    }
    if (consumed >= total - tailRecords)
      finish({ value: (consumed - atFirst) / ((performance.now() - firstAt) / 1000) })
  }
}
