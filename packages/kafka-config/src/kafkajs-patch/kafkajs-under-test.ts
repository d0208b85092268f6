/**
 * The kafkajs that the tests of the patch run against: the patched package of this workspace, or, to see
 * them fail, the one in the folder that KAFKAJS_DIR names:
 *
 *   npm pack kafkajs@2.2.4 && tar xzf kafkajs-2.2.4.tgz
 *   KAFKAJS_DIR=$PWD/package pnpm vitest run packages/kafka-config/src/kafkajs-patch
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type * as KafkaJs from 'kafkajs'

const require = createRequire(import.meta.url)
const packageDir = process.env['KAFKAJS_DIR'] ?? dirname(require.resolve('kafkajs/package.json'))

/** The public module. */
export const kafkajs = require(packageDir) as typeof KafkaJs

/** An internal module, by its path under `src`. */
export function internal<Module>(path: string): Module {
  return require(join(packageDir, 'src', path)) as Module
}
