import { expect, test } from 'vitest'
import { mayBeAnotherServer } from './open-transactions.ts'

const look = (begunAtMs: number, serverUpMs: number, server = 'db 3306 1', suspendedMs = 0) => ({
  open: new Set<string>(),
  server,
  serverUpMs,
  serverStartedMs: begunAtMs + suspendedMs - serverUpMs,
  begunAtMs,
})

test.each([
  ['the same, a second later', look(0, 60_000), look(1_000, 61_000), false],
  ['the same, after a long time without a look', look(0, 60_000), look(3_600_000, 3_660_000), false],
  ['restarted in between', look(0, 60_000), look(30_000, 5_000), true],
  ['restarted right after the look', look(0, 60_000), look(30_000, 29_000), true],
  ['started so recently that rounding hides a restart', look(0, 0), look(1_000, 2_000), true],
  ['another one that has been running for longer', look(0, 60_000), look(1_000, 90_000, 'db-2 3306 2'), true],
  [
    'the same, while this host was suspended',
    look(0, 60_000),
    look(1_000, 3_661_000, 'db 3306 1', 3_600_000),
    false,
  ],
  [
    'restarted while this host was suspended, and running for longer than this host knows',
    look(0, 60_000),
    look(1_000, 1_800_000, 'db 3306 1', 3_600_000),
    true,
  ],
])('two looks at a server: %s', (_what, earlier, later, expected) => {
  expect(mayBeAnotherServer(earlier, later)).toBe(expected)
})
