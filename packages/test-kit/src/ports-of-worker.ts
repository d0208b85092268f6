/** Before each test file: files that run side by side look for their ports in different parts of the range (a setup file of vitest.config.ts). */
import { searchPortsIn } from '@kafka-pattern/local-stack'

const parts = 8
// Of a worker, from 1; workers beyond the eighth share a part.
searchPortsIn(Number(process.env.VITEST_POOL_ID) % parts, parts)
