/** Started by test-run.ts beside each test run: waits until vitest is gone, then ends what the run left behind. */
import { existsSync } from 'node:fs'
import { endRun } from './test-run.ts'

const runDir = process.argv[2]
if (runDir === undefined) throw new Error('usage: reaper.ts <folder of the test run>')

process.stdin.resume()
process.stdin.once('close', () => {
  // After an orderly teardown the folder is gone already.
  if (existsSync(runDir)) void endRun(runDir)
})
