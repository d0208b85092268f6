import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { frameOf, showLive } from './live-screen.ts'

/** Remembers what was written to it. */
function fakeTerminal() {
  const written: string[] = []
  const terminal = Object.assign(new EventEmitter(), {
    rows: 10,
    write: (text: string) => written.push(text) > 0,
  })
  return { terminal, written }
}

const leavesTheScreen = '\u001B[?1049l'

test('it draws until it is interrupted; the last lines stay where the terminal was before', async () => {
  const { terminal, written } = fakeTerminal()
  const interrupted = new AbortController()
  let looks = 0
  const look = async () => {
    looks++
    if (looks === 3) interrupted.abort()
    return [`look ${looks}`]
  }
  await showLive(terminal, look, 1, interrupted.signal)
  expect(written.join('')).toContain(`${frameOf(['look 1'], 10)}${frameOf(['look 2'], 10)}`)
  expect(written.at(-1)).toMatch(/1049llook 3\n$/)
  expect(terminal.listenerCount('resize')).toBe(0)
})

test('a size that changed is drawn at once', async () => {
  const { terminal, written } = fakeTerminal()
  const interrupted = new AbortController()
  const showing = showLive(terminal, async () => ['1', '2', '3'], 60_000, interrupted.signal)
  await Promise.resolve()
  terminal.rows = 2
  terminal.emit('resize')
  expect(written.at(-1)).toBe(frameOf(['1', '2', '3'], 2))
  interrupted.abort()
  await showing
})

test('what fails at once leaves no trace, what fails later leaves the screen', async () => {
  const { terminal, written } = fakeTerminal()
  const signal = new AbortController().signal
  await expect(showLive(terminal, () => Promise.reject(new Error('away')), 1, signal)).rejects.toThrow('away')
  expect(written).toEqual([])
  let looks = 0
  const look = async () => {
    if (looks++ > 0) throw new Error('away')
    return ['fine']
  }
  await expect(showLive(terminal, look, 1, signal)).rejects.toThrow('away')
  expect(written.at(-1)).toContain(`${leavesTheScreen}fine`)
})

test('a frame overwrites what was there, line by line and below', () => {
  expect(frameOf(['one', 'two'], 10)).toBe('\u001B[Hone\u001B[K\r\ntwo\u001B[K\u001B[J')
})

test('a terminal that is too small gets what fits, and is told how much does not', () => {
  expect(frameOf(['1', '2', '3', '4'], 3)).toContain(
    '2\u001B[K\r\n… 2 more lines: make lag | less\u001B[K\u001B[J',
  )
})
