import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { requireKnownVariables, findUnreadSettings, variablesIn } from './known-variables.ts'

test.each([
  ['', []],
  ['w --no-print-directory', []],
  [' --no-print-directory -- STEPS=1 RUNTIME=local', ['STEPS', 'RUNTIME']],
  ['-- SERVICE=user-api', ['SERVICE']],
  [String.raw` -j2 --no-print-directory -- SERVICE=a\ N=3 N:=4`, ['SERVICE', 'N']],
])('the variables in MAKEFLAGS "%s"', (makeFlags, names) => {
  expect(variablesIn(makeFlags)).toEqual(names)
})

test('settings and the variables of commands are known, others are refused by name', async () => {
  await expect(requireKnownVariables(undefined)).resolves.toBeUndefined()
  await expect(requireKnownVariables(' -- KAFKA_PORT=9192 REPLAY=t')).resolves.toBeUndefined()
  await expect(requireKnownVariables(' -- KAFKA_PROT=9192 N=2 STEP=1')).rejects.toThrow(
    /^Nothing reads KAFKA_PROT, STEP\./,
  )
})

test.each([
  'TZ',
  'LANG',
  'HTTPS_PROXY',
  'no_proxy',
  'COMPOSE_PARALLEL_LIMIT',
  'BUILDKIT_PROGRESS',
  'npm_config_registry',
])('%s is known, because tools read it that commands run', async name => {
  await expect(requireKnownVariables(` -- ${name}=x`)).resolves.toBeUndefined()
})

test('names in .env that .env.example does not have are found; without .env there are none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dot-env-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  expect(await findUnreadSettings(folder)).toEqual([])
  await writeFile(
    join(folder, '.env'),
    'KAFKA_PORT=9192\nKAFKA_PROT=9192\nCOMPOSE_PARALLEL_LIMIT=2\n# STEP=1\n',
  )
  expect(await findUnreadSettings(folder)).toEqual(['KAFKA_PROT'])
})
