/**
 * Before each test file (a setup file of vitest.config.ts): the ports of its stack lie below those that local-stack searches. A command looks for
 * more of them in its own process, such as a broker's for the controller, and could get one that was chosen for a
 * stack and is not in use yet, its own among them. Files that run side by side have parts of their own.
 */
import { searchPortsIn } from '@kafka-pattern/local-stack'

const range = { first: 14_000, count: 6_000 }
const parts = 4
// Of a worker, from 1; workers beyond the fourth share a part.
searchPortsIn(Number(process.env.VITEST_POOL_ID) % parts, parts, range)
