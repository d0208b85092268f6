/**
 * Before each test file (a setup file of vitest.config.ts): files that run side by side look for their ports in different parts of a range. It lies
 * below that of other processes: a command under test looks for more ports, such as a broker's for the controller, and
 * could get one that a test has chosen for a server that does not listen yet.
 */
import { searchPortsIn } from '@kafka-pattern/local-stack'

const first = 14_000
const count = 750
const parts = 8
// Of a worker, from 1; workers beyond the eighth share a part.
const part = Number(process.env.VITEST_POOL_ID) % parts
searchPortsIn({ first: first + part * count, count })
