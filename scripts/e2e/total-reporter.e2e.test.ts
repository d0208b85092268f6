import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { repositoryDir } from '../repository.ts'

/** A vitest run over these files; what it prints last, and its exit code. */
async function runOf(files: Record<string, string>): Promise<{ code: unknown; lastLine: string }> {
  const root = await mkdtemp(join(tmpdir(), 'kafka-pattern-e2e-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  await mkdir(join(root, 'b'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(root, name), content)
  await writeFile(
    join(root, 'vitest.config.ts'),
    `import { TotalReporter } from ${JSON.stringify(join(repositoryDir, 'scripts', 'total-reporter.ts'))}
     const project = (name, include) => ({ test: { name, include, globals: true } })
     export default { test: { reporters: ['default', new TotalReporter()], projects: [project('a', ['*.test.ts']), project('b', ['b/*.test.ts'])] } }`,
  )
  return new Promise(resolve => {
    const vitest = join(repositoryDir, 'node_modules', 'vitest', 'vitest.mjs')
    execFile(process.execPath, [vitest, 'run', '--root', root], (error, stdout) =>
      resolve({ code: error?.code ?? 0, lastLine: stdout.trimEnd().split('\n').at(-1) ?? '' }),
    )
  })
}

const passing = `test('one', () => {}); test('two', () => {})`

test('the total of all projects stands alone on the last line', async () => {
  const run = await runOf({ 'a.test.ts': passing, 'b/b.test.ts': passing })
  expect(run).toEqual({ code: 0, lastLine: '4 passed, 0 failed' })
})

test('a failing test, a file that cannot be loaded and an error outside of tests all count', async () => {
  const run = await runOf({
    'a.test.ts': `${passing}; test('three', () => { throw new Error('no') })`,
    'unloadable.test.ts': `import './is-not-there.ts'; test('never', () => {})`,
    'b/outside.test.ts': `test('one', async () => { void Promise.reject(new Error('unhandled')); await new Promise(r => setTimeout(r, 50)) })`,
  })
  expect(run).toEqual({ code: 1, lastLine: '3 passed, 3 failed' })
})
