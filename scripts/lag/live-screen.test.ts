import { expect, test } from 'vitest'
import { frameOf } from './live-screen.ts'

test('a frame overwrites what was there, line by line and below', () => {
  expect(frameOf(['one', 'two'], 10)).toBe('\u001B[Hone\u001B[K\r\ntwo\u001B[K\u001B[J')
})

test('a terminal that is too small gets what fits, and is told how much does not', () => {
  expect(frameOf(['1', '2', '3', '4'], 3)).toContain(
    '2\u001B[K\r\n… 2 more lines: make lag | less\u001B[K\u001B[J',
  )
})
