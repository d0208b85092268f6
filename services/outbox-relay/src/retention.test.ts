import { soon } from '@kafka-pattern/test-kit/soon'
import { createLogger } from '@kafka-pattern/service-runtime'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ForeignCursorError } from './cursor-text.ts'
import { Retention } from './retention.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

/** Whose database says this to everything. */
function startedWith(error: Error): {
  checks: () => number
  levels: string[]
  onFatal: (error: Error) => void
} {
  const rows = vi.fn<() => Promise<never>>().mockRejectedValue(error)
  const logger = createLogger({ name: 'test', level: 'silent' })
  const levels: string[] = []
  for (const level of ['info', 'error'] as const) {
    vi.spyOn(logger, level).mockImplementation(() => void levels.push(level))
  }
  const onFatal = vi.fn<(error: Error) => void>()
  const retention = new Retention({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
    mysql: { rows } as Pick<Mysql, 'rows'> as Mysql,
    cursors: { read: async () => [] },
    logger,
    retentionHours: 1,
    partitionRows: 1_000,
    checkMs: 1,
    isMine: () => true,
    onFatal,
  })
  retention.start()
  onTestFinished(() => retention.stop())
  return { checks: () => rows.mock.calls.length, levels, onFatal }
}

const ofServer = (errno: number): Error => Object.assign(new Error('said by the server'), { errno })

test.each([
  ['too many partitions', 1499, 'error'],
  ['a full disk', 1114, 'error'],
  ['a partition that somebody else has added', 1517, 'info'],
  ['a lock that somebody else has', 1205, 'info'],
])('%s: told, and looked at again with the next check; publishing goes on', async (_what, errno, level) => {
  const { checks, levels, onFatal } = startedWith(ofServer(errno))
  await soon(() => expect(checks()).toBeGreaterThan(2))
  expect(new Set(levels)).toEqual(new Set([level]))
  expect(onFatal).not.toHaveBeenCalled()
})

test('a position that was made for another table ends the relay', async () => {
  const error = new ForeignCursorError('not by this relay')
  const { onFatal } = startedWith(error)
  await soon(() => expect(onFatal).toHaveBeenCalledWith(error))
})
