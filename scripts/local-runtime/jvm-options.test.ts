import { expect, test } from 'vitest'
import { heapBytes } from './jvm-options.ts'

test.each([
  ['-Xmx512m', 512 * 1024 ** 2],
  ['-Xms1g -Xmx2G -XX:+UseG1GC', 2 * 1024 ** 3],
  ['-XX:+UseG1GC', undefined],
  [undefined, undefined],
])('the heap of %s', (options, bytes) => {
  expect(heapBytes(options)).toBe(bytes)
})
